/** Kinds of devices that requests to a server with a queue may name. */
export const deviceFamilies = ['cuda', 'cpu'] as const;
