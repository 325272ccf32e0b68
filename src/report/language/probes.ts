/** Texts of the section on concepts. */

export interface ProbeWords {
  title: string;
  line: string;
  /** @param labels the labels with their numbers of documents. */
  documents(labels: string, skipped: number): string;
  caption(name: string): string;
  sae: string;
  latents(k: number): string;
  allLatents: string;
  activations: string;
  activationsOf(sae: string): string;
  meaning(k: number | null): string;
  best: string;
  bestMeaning: string;
  none: string;
  failed(sae: string, message: string): string;
  perturbation: { caption(name: string): string; clean: string; line: string };
  removal: {
    caption(name: string): string;
    line(biased: string): string;
    before: string;
    clean: string;
    direction: Record<'label' | 'spurious', string>;
  };
  /** Column of so many latents set to zero. */
  zeroed(latents: number): string;
}

export const probeWords: Record<'en' | 'zh', ProbeWords> = {
  en: {
    title: 'Concepts',
    line:
      'Does a latent tell a label? Each value is the share of documents that a logistic ' +
      'regression told right which was not fitted on them, each label against as many documents ' +
      'of the others, averaged over the labels: 0.5 is chance. It sees the k latents whose means ' +
      'differ most, or all. Intervals by bootstrap over documents.',
    documents: (labels, skipped) =>
      `Documents: ${labels}.` + (skipped === 0 ? '' : ` ${skipped} records had no use.`),
    caption: (name) => name,
    sae: 'SAE',
    latents: (k) => (k === 1 ? '1 latent' : `${k} latents`),
    allLatents: 'All',
    activations: 'Activations themselves',
    activationsOf: (sae) => `activations that ${sae} reads`,
    meaning: (k) =>
      k === null
        ? 'accuracy of probes on everything'
        : `accuracy of probes on ${k} latents, or dimensions of the activations`,
    best: 'First latent of each label',
    bestMeaning: 'latent whose mean differs most, over all documents, and its accuracy',
    none: 'No SAE of this run reads one place by one dictionary.',
    failed: (sae, message) => `${sae}: ${message}`,
    perturbation: {
      caption: (name) => `${name}: Targeted perturbation`,
      clean: 'Before',
      line:
        'The latents of a label are set to zero: accuracy that the probe of that label loses, ' +
        'less what those of the other labels lose. Higher means latents of one label alone.',
    },
    removal: {
      caption: (name) => `${name}: Spurious correlation`,
      line: (biased) =>
        `A probe is fitted on ${biased}, where the two labels go together. The latents of the ` +
        'one are set to zero: part of the way from its accuracy on balanced documents to that ' +
        'of a probe without the bias, for the label that it tells worse.',
      before: 'Before',
      clean: 'Without bias',
      direction: { label: 'label', spurious: 'second label' },
    },
    zeroed: (latents) => `${latents} at zero`,
  },
  zh: {
    title: '概念',
    line:
      '某个潜变量能否判断标签？每个数值为逻辑回归在未参与拟合的文档上判断正确的比例：每个标签与同等数量的' +
      '其他文档相对，再对标签取平均，0.5 相当于随机猜测。回归只看均值差异最大的 k 个潜变量，或全部潜变量。' +
      '区间由对文档的自助法得到。',
    documents: (labels, skipped) =>
      `文档：${labels}。` + (skipped === 0 ? '' : `另有 ${skipped} 条记录无法使用。`),
    caption: (name) => name,
    sae: 'SAE',
    latents: (k) => `${k} 个潜变量`,
    allLatents: '全部',
    activations: '激活本身',
    activationsOf: (sae) => `${sae} 所读取的激活`,
    meaning: (k) =>
      k === null ? '使用全部特征的探针准确率' : `使用 ${k} 个潜变量（或激活维度）的探针准确率`,
    best: '各标签的首选潜变量',
    bestMeaning: '在全部文档上均值差异最大的潜变量及其准确率',
    none: '本次运行中没有以单一字典读取单一位置的 SAE。',
    failed: (sae, message) => `${sae}：${message}`,
    perturbation: {
      caption: (name) => `${name}：定向扰动`,
      clean: '扰动前',
      line:
        '将某个标签的潜变量置零：该标签的探针损失的准确率，减去其他标签的探针损失的准确率。' +
        '数值越高，说明这些潜变量只属于一个标签。',
    },
    removal: {
      caption: (name) => `${name}：虚假相关`,
      line: (biased) =>
        `探针在 ${biased} 上拟合，两个标签在其中同时出现。将其中一个标签的潜变量置零：在均衡文档上，` +
        '准确率向无偏探针准确率靠近的比例，取原先判断较差的那个标签。',
      before: '之前',
      clean: '无偏',
      direction: { label: '标签', spurious: '第二标签' },
    },
    zeroed: (latents) => `置零 ${latents} 个`,
  },
};
