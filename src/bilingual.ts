/** A text in the two languages of reports. */
export interface Bilingual {
  en: string;
  zh: string;
}
