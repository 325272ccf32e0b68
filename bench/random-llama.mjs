/** Writes models of Llama's architecture, and SAEs for them, with random weights. */
import { copyFileSync, closeSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** Sizes of Llama-3.2-1B, and of a model of the same proportions that is made in seconds. */
export const shapes = {
  '1b': { layers: 16, width: 2048, heads: 32, keyValueHeads: 8, mlp: 8192, vocabulary: 128_256 },
  small: { layers: 12, width: 1024, heads: 16, keyValueHeads: 4, mlp: 4096, vocabulary: 8192 },
};

/** A generator of 32-bit words with a seed (xorshift, Marsaglia 2003). */
function words(seed) {
  let state = seed >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

/** Fills with bfloat16 numbers between 1/128 and 1/64, of either sign. */
function fillBfloat16(numbers, next) {
  for (let i = 0; i < numbers.length; i++) numbers[i] = (next() & 0x807f) | (120 << 7);
}

const one = 0x3f80;

/** Writes bfloat16 tensors one after the other: `[name, shape, fill]`. */
function writeSafetensors(path, tensors) {
  const header = {};
  let offset = 0;
  for (const [name, shape] of tensors) {
    const bytes = 2 * shape.reduce((product, size) => product * size, 1);
    header[name] = { dtype: 'BF16', shape, data_offsets: [offset, offset + bytes] };
    offset += bytes;
  }
  const text = JSON.stringify(header);
  const head = Buffer.alloc(8 + Math.ceil(text.length / 8) * 8, ' ');
  head.writeBigUInt64LE(BigInt(head.length - 8));
  head.write(text, 8);
  const file = openSync(path, 'w');
  writeSync(file, head);
  for (const [, shape, fill] of tensors) {
    const numbers = new Uint16Array(shape.reduce((product, size) => product * size, 1));
    fill(numbers);
    const bytes = Buffer.from(numbers.buffer);
    for (let at = 0; at < bytes.length;)
      at += writeSync(file, bytes, at, Math.min(bytes.length - at, 2 ** 28));
  }
  closeSync(file);
  return offset;
}

/**
 * Writes a model with tied embeddings, and the tokenizer of another.
 * @returns the bytes of its weights.
 */
export function makeRandomLlama(folder, { tokenizer, ...shape }) {
  const { layers: L, width: d, heads, keyValueHeads, mlp, vocabulary } = shape;
  mkdirSync(folder, { recursive: true });
  for (const name of ['tokenizer.json', 'tokenizer_config.json'])
    copyFileSync(join(tokenizer, name), join(folder, name));
  const config = {
    model_type: 'llama',
    hidden_size: d,
    intermediate_size: mlp,
    num_hidden_layers: L,
    num_attention_heads: heads,
    num_key_value_heads: keyValueHeads,
    vocab_size: vocabulary,
    max_position_embeddings: 2048,
    rms_norm_eps: 1e-5,
    rope_theta: 500_000,
    tie_word_embeddings: true,
    torch_dtype: 'bfloat16',
    bos_token_id: 4093,
    eos_token_id: 4095,
  };
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
  const next = words(1);
  const random = (numbers) => fillBfloat16(numbers, next);
  const ones = (numbers) => numbers.fill(one);
  const kv = (d / heads) * keyValueHeads;
  const blocks = Array.from({ length: L }, (_, i) => {
    const at = `model.layers.${i}.`;
    return [
      [`${at}input_layernorm.weight`, [d], ones],
      [`${at}self_attn.q_proj.weight`, [d, d], random],
      [`${at}self_attn.k_proj.weight`, [kv, d], random],
      [`${at}self_attn.v_proj.weight`, [kv, d], random],
      [`${at}self_attn.o_proj.weight`, [d, d], random],
      [`${at}post_attention_layernorm.weight`, [d], ones],
      [`${at}mlp.gate_proj.weight`, [mlp, d], random],
      [`${at}mlp.up_proj.weight`, [mlp, d], random],
      [`${at}mlp.down_proj.weight`, [d, mlp], random],
    ];
  });
  return writeSafetensors(join(folder, 'model.safetensors'), [
    ['model.embed_tokens.weight', [vocabulary, d], random],
    ...blocks.flat(),
    ['model.norm.weight', [d], ones],
  ]);
}

/** Writes an SAE of one layer as a plain state dict. */
export function makeRandomSae(path, { width: d, latents: m, seed }) {
  const next = words(seed);
  const random = (numbers) => fillBfloat16(numbers, next);
  const zeros = (numbers) => numbers.fill(0);
  writeSafetensors(path, [
    ['W_enc', [d, m], random],
    ['b_enc', [m], zeros],
    ['W_dec', [m, d], random],
    ['b_dec', [d], zeros],
  ]);
}
