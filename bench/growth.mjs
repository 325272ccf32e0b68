/** How the cost of an evaluation grows: with the number of SAEs and sites, and with long texts. */
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeRandomLlama, makeRandomSae } from './random-llama.mjs';

const least = (runs) => runs.reduce((best, one) => (one.computing < best.computing ? one : best));

const measured = ({ computing, peakBytes }) => ({ seconds: computing, peakBytes });

/**
 * SAEs of one file each, which are not shared: on one site, and one on each of several sites.
 * @param ours runs a request.
 */
export function manySaes({ ours, work, shipped, samples, repeats = 2 }) {
  const folder = join(work, 'many-saes');
  mkdirSync(folder, { recursive: true });
  const copies = (count) =>
    Array.from({ length: count }, (_, n) => {
      const checkpoint = join(folder, `${n}.pt`);
      if (!existsSync(checkpoint)) copyFileSync(join(shipped, 'TopK_tiny.pt'), checkpoint);
      return { kind: 'TopK', checkpoint, k: 16, label: `TopK ${n}` };
    });
  const request = (saes) => ({
    model: join(shipped, 'tiny-llama'),
    dataset: { path: join(shipped, 'eval'), seqLen: 256, maxSamples: samples },
    saes,
  });
  const run = (saes) => least(Array.from({ length: repeats }, () => ours(request(saes))));
  const layers = 16;
  const sites = (count) =>
    copies(count).map((sae, n) =>
      n < layers
        ? { ...sae, layer: n + 1 }
        : { ...sae, hook: `blocks.${n - layers + 8}.hook_mlp_out` },
    );
  return {
    samples,
    oneSite: [1, 10, 100].map((saes) => ({
      saes,
      ...measured(run(copies(saes).map((sae) => ({ ...sae, layer: 8 })))),
    })),
    sites: [1, 5, 20].map((saes) => ({ saes, ...measured(run(sites(saes))) })),
  };
}

/** Texts of growing length, the same number of tokens in all. */
export function longTexts({ ours, work, shipped, tokens = 16_384 }) {
  const folder = join(work, 'long-texts');
  mkdirSync(folder, { recursive: true });
  const model = join(folder, 'model');
  const shape = { layers: 4, width: 256, heads: 8, keyValueHeads: 4, mlp: 768, vocabulary: 4096 };
  if (!existsSync(join(model, 'model.safetensors')))
    makeRandomLlama(model, { tokenizer: join(shipped, 'tiny-llama'), ...shape });
  const configFile = join(model, 'config.json');
  const config = JSON.parse(readFileSync(configFile, 'utf8'));
  writeFileSync(configFile, JSON.stringify({ ...config, max_position_embeddings: 8192 }));
  const checkpoint = join(folder, 'sae.safetensors');
  makeRandomSae(checkpoint, { width: shape.width, latents: 2048, seed: 7 });
  const run = (name, lengths, seqLen) => {
    // Ids as they are: every text has exactly that many.
    const data = join(folder, `${name}.jsonl`);
    const texts = lengths.map((length, text) =>
      JSON.stringify({
        ids: Array.from({ length }, (_, t) => 10 + ((31 * text + 7 * t) % 4000)),
      }),
    );
    writeFileSync(data, `${texts.join('\n')}\n`);
    const done = ours({
      model,
      dataset: { path: data, tokensField: 'ids', seqLen, maxSamples: texts.length },
      saes: [{ kind: 'TopK', checkpoint, layer: 2, k: 32 }],
      protocol: ['strict'],
    });
    return measured(done);
  };
  const equal = (length) => Array.from({ length: tokens / length }, () => length);
  // In pairs whose mean is 128, from 8 to 248 tokens.
  const mixed = equal(128).map(
    (mean, n) => mean + (n % 2 === 0 ? 1 : -1) * ((37 * (n >> 1)) % 121),
  );
  return {
    shape,
    tokens,
    rows: [512, 2048, 8192].map((length) => ({
      length,
      ...run(String(length), equal(length), length),
    })),
    short: { equal: run('equal', equal(128), 128), mixed: run('mixed', mixed, 256) },
  };
}
