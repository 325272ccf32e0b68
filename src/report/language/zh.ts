/** Texts of reports in Chinese. */
import { inMillions } from '../../summary/rules/compared.js';
import type { Words } from './words.js';

export const zh: Words = {
  lang: 'zh',
  title: '稀疏自编码器评估报告',
  summary: '摘要',
  summaryCaption: (protocol) =>
    protocol === 'strict' ? '主要指标（附 95% 置信区间）' : '主要指标',
  moreSaes: (count) => `其余 ${count} 个 SAE 见结果表。`,
  conclusions: '结论与建议',
  contents: '目录',
  configuration: '配置',
  resultsUnder: (protocol) => `结果（${protocol} 协议）`,
  protocolLine: {
    reference: '与公开的 PyTorch 脚本一致：计入填充位置，KL 按序列求和，各值为批次平均。',
    strict:
      '只计真实词元，在替换所在的层测量，并对整个数据集求和。方括号内为 bootstrap 95% 置信区间。',
  },
  peers: {
    title: '按 SAELens 与 SAEBench 的算法',
    line:
      '同一次前向计算，按这些工具的定义，在语言模型激活的空间中给出；带版本号的名称即一种定义。' +
      'strict 一列是本报告中含义相近的数值。',
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
  moreFindings: (count) => `其余 ${count} 条见 report.json。`,
  severity: { info: '说明', warning: '警告', error: '错误' },
  models: '各 SAE',
  nearIdentityNote: '近似恒等映射：激活的潜变量多于输入的维数；不参与最佳标记。',
  bestNote: '粗体：可比较者中的最佳值，以及配对区间无法与之区分者。',
  missing: (who, reason) => `无数值（${who}）：${reason}`,
  perLayer: '逐层结果',
  sweeps: {
    sparsity: '稀疏度扫描',
    prefixes: '嵌套前缀',
    prefixesLine: '每行只保留前若干个潜变量（个数即前缀），其余为零。死特征为前缀内的比例。',
    prefix: '前缀',
    whole: (m) => `${m}（完整）`,
    timesWhole: 'KL / 完整',
  },
  comparisons: 'SAE 之间的差异',
  comparisonsLine:
    'strict 协议下的配对差异：两个 SAE 使用相同的重采样。区间包含 0 表示差异不显著，无法判定优劣。',
  value: '数值',
  differenceTo: (base) => `与 ${base} 之差`,
  notToldFrom: '无法与之区分',
  metricsMean: '指标含义',
  files: '文件',
  filesLine: '读取的文件及其摘要的前 16 位',
  file: '文件',
  bytes: '字节',
  sampled: '抽样',
  again: '如何重新运行',
  againLine: '在同类机器上，以下请求会得到相同的数值：',
  versions: '版本',
  field: {
    createdAt: '开始时间',
    model: '模型',
    data: '文本',
    samples: '样本数',
    spliceSamples: '被替换的样本数',
    tokens: '真实词元',
    padded: '填充位置',
    batchSize: '批大小',
    name: '名称',
    tags: '标签',
    notes: '备注',
    metadata: '元数据',
    split: '数据划分',
    chunking: '切分方式',
    seqLen: '序列长度',
    device: '设备',
    dtype: '精度（模型 / SAE）',
    threads: '线程',
    microBatch: '每次计算',
    seconds: '用时',
    memory: '内存峰值',
    override: '替换设置',
    seed: '随机种子',
    intervals: '置信区间',
  },
  architecture: ({ family, layers, width, parameters }) =>
    `${family}，${layers} 层，宽度 ${width}，${inMillions(parameters).replace(' ', '')} 参数`,
  samples: (count, batches, batchSize) => `${count}（${batches} 批，每批至多 ${batchSize}）`,
  intervals: (batches) =>
    batches === null
      ? '以序列为单位的 bootstrap'
      : `样本较多，以 ${batches} 个批次为单位的 bootstrap`,
  overFirst: (samples, names) =>
    `仅基于前 ${samples} 个样本：${names.join('、')}；其余基于全部样本。`,
  tokenCount: (count) => `${count} 个词元`,
  shuffled: (seed) => `以种子 ${seed} 打乱顺序`,
  atATime: (sequences, logits) =>
    `${sequences} 个序列，${logits} 个 logits（只关系到内存，不影响数值）`,
  took: (seconds, tokensPerSecond) => `${seconds} 秒（每秒 ${tokensPerSecond} 个词元）`,
  groups: (prefixes) => `嵌套分组 ${prefixes.join('、')}`,
  positionsLeftOut: ({ exclude, from, counted, real }) =>
    exclude.length === 0
      ? null
      : `strict 计入 ${real} 个真实词元中的 ${counted} 个（exclude：` +
        `${exclude.map((rule) => JSON.stringify(rule)).join('、')}，` +
        `${from === 'file' ? '依文件' : '依请求'}）`,
  layer: '层',
  layersColumn: '层',
  saeColumn: 'SAE',
  splicedAt: '替换于',
  replacement: '所有层一起替换',
  metricColumn: '指标',
  failed: (code, message) => `失败（${code}）：${message}`,
  separator: '：',
  comma: '，',
  semicolon: '；',
  several: '多次评估的比较',
  notComparable: (fields) =>
    `这些评估在以下方面不同：${fields.join('、')}。其数值不可比较，因此不标出最佳值。`,
  charts: {
    title: '图表',
    errorAgainstKl: 'KL 与重建误差',
    sparsityAgainstKl: 'KL 与稀疏度',
    frontier: '稀疏度与 KL 的前沿',
    prefixKl: 'KL 与前缀',
    prefixError: '重建误差与前缀',
    prefix: '前缀（前若干个潜变量）',
    perLayerError: '逐层重建误差',
    perLayerKl: '逐层 KL',
    routing: '词元到各层的路由',
    density: '潜变量的激活频率',
    firingRate: '激活频率的 log10',
    latents: '潜变量数',
    table: '数据',
  },
  chartDescription: (y, x, series) => `${series.join('、')} 的 ${y}，横轴为 ${x}`,
  theme: '浅色或深色',
  ownName: '中文',
  oneByOne: '逐条列出',
};
