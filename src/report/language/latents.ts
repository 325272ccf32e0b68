/** Words of the section on latents. */
export const latentsWords = {
  en: {
    title: 'Latents',
    line: (from: number) =>
      'Dead: active on no position of this run. Dense: active on more than a tenth of them. ' +
      `Twins: latents whose decoder row has a cosine of ${from} or more with another one. ` +
      'The table latents.parquet has every latent with its contexts.',
    head: ['SAE', 'Latents', 'Positions', 'Dead', 'Dense', 'Twins'],
  },
  zh: {
    title: '潜变量',
    line: (from: number) =>
      '死特征：在本次运行的任何位置都未激活。稠密：在超过十分之一的位置上激活。孪生：解码器行与另一行的' +
      `余弦不低于 ${from} 的潜变量。表格 latents.parquet 列出每个潜变量及其上下文。`,
    head: ['SAE', '潜变量', '位置', '死特征', '稠密', '孪生'],
  },
} as const;
