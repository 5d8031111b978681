/** A TCK compares whole commands with those of protocol 0.2, which have no metadata. */
export const PLAIN = { commandMetadata: false };

/** Passivated soon. */
export const CONFIGURED = { ...PLAIN, passivationTimeout: 100 };
