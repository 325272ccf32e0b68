/** Texts of reports in Chinese. */
import type { Words } from './words.js';

export const zh: Words = {
  lang: 'zh',
  title: '稀疏自编码器评估报告',
  configuration: '配置',
  resultsUnder: (protocol) => `结果（${protocol} 协议）`,
  protocolLine: {
    reference: '与公开的 PyTorch 脚本一致：计入填充位置，KL 按序列求和，各值为批次平均。',
    strict:
      '只计真实词元，在替换所在的层测量，并对整个数据集求和。方括号内是以序列为单位的自助法 95 % 区间。',
  },
  losses: {
    title: '未使用的文本',
    reason: '原因',
    count: '数量',
    first: '首个例子',
    skipped: (skipped, records) =>
      records === null
        ? `跳过了 ${skipped} 条记录；各项数值来自其余记录。`
        : `${records} 条记录中跳过了 ${skipped} 条；各项数值来自其余记录。`,
    truncated: (tokens, share) => `有 ${tokens} 个词元（${share}）因超出序列长度而被截去。`,
  },
  findings: '发现',
  noFindings: '未触发任何规则。',
  severity: { info: '说明', warning: '警告', error: '错误' },
  models: '各 SAE',
  perLayer: '逐层结果',
  sweep: '稀疏度扫描',
  comparisons: 'SAE 之间的差异',
  comparisonsLine:
    'strict 协议下的配对差异：两个 SAE 使用相同的重采样序列。若区间包含 0，则两者优劣未定。',
  metricsMean: '指标含义',
  files: '文件',
  again: '如何重新运行',
  againLine: '在同类机器上，以下请求会得到相同的数值：',
  versions: '版本',
  field: {
    createdAt: '时间',
    model: '模型',
    data: '文本',
    samples: '样本数',
    tokens: '真实词元',
    padded: '填充位置',
    batchSize: '批大小',
    seqLen: '序列长度',
    device: '设备',
    dtype: '精度（模型 / SAE）',
    threads: '线程',
    microBatch: '微批次',
    seconds: '用时',
    memory: '内存峰值',
    override: '覆盖设置',
    seed: '随机种子',
  },
  positionsLeftOut: ({ exclude, from, counted, real }) =>
    exclude.length === 0
      ? null
      : `strict 计入 ${real} 个真实词元中的 ${counted} 个（exclude：` +
        `${exclude.map((rule) => JSON.stringify(rule)).join('、')}，` +
        `${from === 'file' ? '依文件' : '依请求'}）`,
  layer: '层',
  layers: '层',
  splicedAt: '替换于',
  metricColumn: '指标',
  pair: '配对',
  difference: '差异',
  failed: (code, message) => `失败（${code}）：${message}`,
  separator: '：',
  several: '多次评估的比较',
  notComparable: (fields) =>
    `这些评估在以下方面不同：${fields.join('、')}。其数值不可比较，因此不标出最佳值。`,
  charts: {
    title: '图表',
    errorAgainstKl: 'KL 与重建误差',
    sparsityAgainstKl: 'KL 与稀疏度',
    frontier: '稀疏度与 KL 的前沿',
    perLayerError: '逐层重建误差',
    perLayerKl: '逐层 KL',
    routing: '词元到各层的路由',
    density: '潜变量的激活频率',
    firingRate: '激活频率的 log10',
    latents: '潜变量数',
    table: '数据',
  },
  chartDescription: (y, x, series) => `${series.join('、')} 的 ${y}，横轴为 ${x}`,
  reading: '如何阅读表格',
  recommendations: '结论',
  groups: {
    baseline: {
      title: '基线',
      line: '把训练好的字典用在未必与之匹配的层上，可以看出层不匹配的代价。',
    },
    standard: {
      title: '标准与门控',
      line: '这些类型只读一层，激活的潜变量数不固定：误差须与 L0 一并看待。',
    },
    routing: {
      title: 'TopK 与 RouteSAE',
      line: '激活的潜变量数相同时，TopK 读取固定的一层，RouteSAE 为每个词元选择一层。',
    },
    multiLayer: { title: '多层', line: '数值为各层的平均；各层的数值见“逐层结果”。' },
  },
  nats: '奈特',
  mostFaithful: ({ label, kl, l0, nearIdentities }) =>
    `${label} 对模型预测的改变最小：每词元 ${kl} 奈特，L0 为 ${l0}` +
    (nearIdentities.length === 0 ? '。' : `（不计接近恒等的 ${nearIdentities.join('、')}）。`),
  bestAtSparsest: ({ label, kl, l0 }) =>
    `在最稀疏的 SAE 中，${label} 对模型预测的改变最小：每词元 ${kl} 奈特，L0 为 ${l0}。`,
  theme: '浅色或深色',
  otherLanguage: 'English',
};
