/** Schemas of requests, results and records, with their types. */
export * from './absorption.js';
export * from './block-sites.js';
export * from './catalogue.js';
export * from './dictionaries.js';
export * from './latent-sorts.js';
export * from './latents.js';
export * from './list.js';
export * from './names.js';
export * from './probes.js';
export * from './record.js';
export * from './request.js';
export * from './request-dataset.js';
export * from './request-sae.js';
export * from './result.js';
export * from './result-of.js';
export * from './skipped.js';
export * from './whole-run.js';
