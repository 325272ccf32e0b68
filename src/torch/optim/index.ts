/**
 * Optimizers composed of operators, with PyTorch's formulas and defaults.
 * @module
 */
export { Adam, type AdamOptions } from './adam.js';
export { AdamW } from './adamw.js';
export { Optimizer } from './optimizer.js';
export { SGD, type SGDOptions } from './sgd.js';
