/** Blocks of a report, independent of the format in which it is printed. */
import type { Chart } from './charts/chart.js';

/** A cell of a table; `best` cells are bold. */
export interface Cell {
  text: string;
  best?: boolean;
  /** Value by which a column is sorted; default the text. */
  sort?: number;
}

export interface Table {
  caption: string;
  head: string[];
  /** Meaning of each column; shown on hovering, if the format can. */
  meanings?: readonly (string | null)[];
  rows: Cell[][];
  /** Whether all columns but the first hold numbers and are aligned right. */
  numeric: boolean;
  /** Lines below the table, such as the meaning of a mark. */
  notes?: readonly string[];
}

export type Block =
  | { kind: 'heading'; level: 1 | 2 | 3; text: string; anchor?: string }
  | { kind: 'paragraph'; text: string; role?: 'lead' | 'quiet' }
  | { kind: 'list'; items: string[] }
  | {
      kind: 'finding';
      severity: 'info' | 'warning' | 'error';
      label: string;
      text: string;
      /** The findings that the sentence stands for, one by one. */
      details: string[];
    }
  | { kind: 'table'; table: Table }
  | { kind: 'chart'; chart: Chart; table: Table }
  | { kind: 'code'; language: string; text: string };

/** A report in one language. */
export interface Document {
  title: string;
  lang: 'en' | 'zh';
  blocks: Block[];
}

/** @param anchor name of the section in addresses; only headings of level 2 have one. */
export const heading = (level: 1 | 2 | 3, text: string, anchor?: string): Block => ({
  kind: 'heading',
  level,
  text,
  ...(anchor === undefined ? {} : { anchor }),
});
export const paragraph = (text: string): Block => ({ kind: 'paragraph', text });
export const cell = (text: string, sort?: number): Cell => ({
  text,
  ...(sort === undefined ? {} : { sort }),
});
