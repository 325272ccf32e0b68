/**
 * Mistral (Jiang et al. 2023, arXiv:2310.06825): Llama's blocks; a query sees the last
 * `sliding_window` positions.
 */
export { llama as mistral } from './llama.js';
