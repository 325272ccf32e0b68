/** The SAEs that were compared, the model and the text. */
import type { SummaryRule } from '../rule.js';

/** `3.67 M`, for people. */
export function inMillions(count: number): string {
  const [size, unit] = count >= 1e9 ? [1e9, 'B'] : count >= 1e6 ? [1e6, 'M'] : [1e3, 'K'];
  return `${Number((count / size).toPrecision(3))} ${unit}`;
}

/** The last part of a path, or a hub's `org/name`. */
export const shortPath = (path: string): string =>
  /^[\w.-]+\/[\w.-]+$/.test(path) ? path : (path.split('/').filter(Boolean).at(-1) ?? path);

export const compared: SummaryRule = {
  code: 'compared',
  part: 'compared',
  condition: { en: 'Always.', zh: '总是。' },
  check: ({ config, data, results }) => {
    const { model, architecture, dataset } = config;
    const failed = results.filter(({ error }) => error !== null).length;
    const parameters = inMillions(architecture.parameters);
    const tokens = data.realTokens.toLocaleString('en');
    const { spliceSamples } = data;
    return [
      {
        saes: results.map(({ label }) => label),
        message: {
          en:
            `${results.length} ${results.length === 1 ? 'SAE' : 'SAEs'} on ${shortPath(model)} ` +
            `(${architecture.family}, ${architecture.layers} layers, ${parameters} parameters), ` +
            `on ${data.samples} ${data.samples === 1 ? 'text' : 'texts'} of ` +
            `${shortPath(dataset.path)} with ${tokens} tokens.` +
            (spliceSamples === undefined
              ? ''
              : ` Metrics of spliced passes, such as KL, are over the first ${spliceSamples}.`) +
            (failed === 0 ? '' : ` ${failed} of them failed.`),
          zh:
            `在 ${shortPath(model)}（${architecture.family}，${architecture.layers} 层，` +
            `${parameters.replace(' ', '')} 参数）上评估 ${results.length} 个 SAE；文本为 ` +
            `${shortPath(dataset.path)} 的 ${data.samples} 条，共 ${tokens} 个词元。` +
            (spliceSamples === undefined ? '' : `KL 等替换类指标仅基于前 ${spliceSamples} 条。`) +
            (failed === 0 ? '' : `其中 ${failed} 个失败。`),
        },
        evidence: {
          saes: results.length,
          failed,
          parameters: architecture.parameters,
          samples: data.samples,
          ...(spliceSamples === undefined ? {} : { spliceSamples }),
          realTokens: data.realTokens,
        },
      },
    ];
  },
};
