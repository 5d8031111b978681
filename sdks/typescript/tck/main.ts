// Serves the model services.

import { tck } from "./function.js";

await tck.run();
