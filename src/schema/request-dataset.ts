/** The text of a request: its files, and how their records become samples. */
import { z } from 'zod';
import { path, positiveInt } from './request-values.js';

/** Roles of messages. */
export const chatRoles = ['system', 'developer', 'user', 'assistant', 'tool'] as const;
export type ChatRole = (typeof chatRoles)[number];

export const datasetSchema = z
  .strictObject({
    path: path.describe(
      'Path of a data file or of a folder of them: .jsonl, plain or compressed (.gz, .zst), ' +
        '.parquet, .json with a list of records, or .txt. A folder with .jsonl files is read for ' +
        'these only. A folder without data files is read for those of its one sub-folder.',
    ),
    split: z
      .string()
      .min(1)
      .max(200)
      .optional()
      .describe('Split to read, such as train; required if the files of several lie together.'),
    textField: z
      .string()
      .min(1)
      .max(200)
      .default('text')
      .describe('Field of a record that has its text, or a dotted path to it.'),
    tokensField: z
      .string()
      .min(1)
      .max(200)
      .optional()
      .describe('Field of a record that has token ids, used instead of text.'),
    messagesField: z
      .string()
      .min(1)
      .max(200)
      .optional()
      .describe(
        "Field of a record that has a conversation, a list of { role, content }: the model's " +
          'chat template renders it. Used instead of text.',
      ),
    roles: z
      .array(z.enum(chatRoles))
      .min(1)
      .optional()
      .describe(
        'Roles whose tokens count under strict, such as assistant; the others are left out as by ' +
          'exclude. Default: every token counts. With messagesField only.',
      ),
    chunking: z
      .enum(['words', 'document', 'packed', 'saelens'])
      .optional()
      .describe(
        'How records become samples. words (default): chunks of seqLen words. document (default ' +
          'of conversations): one sample for each record. packed: all tokens one after another. ' +
          'saelens: as SAELens packs text, without special tokens but a BOS at the head of each ' +
          'sample and between records; the tail is dropped.',
      ),
    prependBos: z
      .boolean()
      .optional()
      .describe(
        'Whether each sample begins with the BOS token. Default: what the files of the SAEs say ' +
          "where they agree, else the tokenizer's own way.",
      ),
    shuffle: z
      .number()
      .int()
      .min(0)
      .max(2 ** 32 - 1)
      .optional()
      .describe('Seed that shuffles the samples; default: no shuffle.'),
    maxSamples: positiveInt.max(100_000_000).default(10_000).describe('Most samples to read.'),
    seqLen: z
      .number()
      .int()
      .min(2)
      .max(1_048_576)
      .default(512)
      .describe('Tokens per sample, up to the positions of the model.'),
  })
  .refine(
    ({ messagesField, tokensField }) => messagesField === undefined || tokensField === undefined,
    {
      path: ['messagesField'],
      message: 'messagesField and tokensField exclude each other: give one of them',
    },
  )
  .refine(({ messagesField, roles }) => roles === undefined || messagesField !== undefined, {
    path: ['roles'],
    message: 'roles are those of messages: give messagesField too, or leave roles out',
  })
  .superRefine(({ messagesField, chunking }, { addIssue }) => {
    if (messagesField === undefined || (chunking !== 'words' && chunking !== 'saelens')) return;
    addIssue({
      code: 'custom',
      path: ['chunking'],
      message: `expected document or packed for conversations, found ${chunking}`,
    });
  })
  .meta({ id: 'Dataset' });

export type { Dataset } from './generated/request-types.js';
