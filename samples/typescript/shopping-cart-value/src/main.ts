// Serves the shopping cart.

import { UserFunction } from "@cloudstate/cloudstate";

import { shoppingCart } from "./cart.js";

await new UserFunction({ name: "shopping-cart-value", version: "0.1.0", serves: [shoppingCart] }).run();
