/** Schemas with their types: all that client, report, page and server need of the evaluation. */
export * from './record.js';
export * from './request.js';
export * from './result.js';
