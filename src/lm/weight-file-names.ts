/** Names a model folder's weights go by, in the order they are looked for: one file, or an index of shards. */
export const weightFileNames = ['model.safetensors', 'model.safetensors.index.json', 'pytorch_model.bin', 'pytorch_model.bin.index.json'];
