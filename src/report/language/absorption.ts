/** Texts of the section on absorption. */

export interface AbsorptionWords {
  title: string;
  line(words: string): string;
  head: readonly string[];
  meanings: readonly (string | null)[];
  none: string;
}

export const absorptionWords: Record<'en' | 'zh', AbsorptionWords> = {
  en: {
    title: 'Absorption of first letters',
    line: (words) =>
      `Does the latent for words that begin with a letter stay silent where latents for these ` +
      `words carry the letter too? By ${words} words of the model's vocabulary, of which every ` +
      'fifth is tested. Lower is better; letters that a probe on the activations cannot tell are ' +
      'left out.',
    head: ['SAE', 'Letters', 'Fraction absorbed', 'Fully absorbed', 'Latents beyond one'],
    meanings: [
      null,
      'letters that a probe on the activations tells, F1 above 0.6',
      "mean share of a letter's direction that up to three other latents took over",
      'share of words whose letter one other latent has, and none of its own',
      'latents beyond the first that a letter is split among',
    ],
    none: 'No SAE of this run reads one place and reconstructs it by one dictionary.',
  },
  zh: {
    title: '首字母吸收',
    line: (words) =>
      `表示“以某字母开头”的潜变量，是否在某些单词上沉默，而由这些单词自己的潜变量携带该字母？取模型词表中的 ` +
      `${words} 个单词，每五个测试一个。越低越好；激活上的探针无法判断的字母不计入。`,
    head: ['SAE', '字母数', '吸收比例', '完全吸收', '多出的潜变量'],
    meanings: [
      null,
      '激活上的探针能够判断（F1 高于 0.6）的字母',
      '字母方向由至多三个其他潜变量代为承担的平均份额',
      '字母由另一个潜变量承担、而其自身潜变量均未激活的单词比例',
      '除第一个之外，一个字母被拆分到的潜变量数',
    ],
    none: '本次运行中没有以单一字典读取并重构单一位置的 SAE。',
  },
};
