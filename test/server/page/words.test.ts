/** The page's texts and the form's fields: the same in both languages, and all of the schema's. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { z } from 'zod';
import { beforeAll, describe, expect, it } from 'vitest';
import { requestSchema } from '#src/schema/request.js';
import { packageRoot } from '../harness.js';

interface FormField {
  path: string;
  type: string;
  options?: string[];
  initial?: string;
}
interface JsonSchema {
  $ref?: string;
  $defs?: Record<string, JsonSchema>;
  type?: string;
  enum?: string[];
  default?: unknown;
  properties?: Record<string, JsonSchema>;
  items?: JsonSchema;
}

/** What the tests call of the page's modules, which have no types. */
interface PageModule {
  en: unknown;
  zh: unknown;
  formEn: Labels;
  formZh: Labels;
  requestFields: FormField[];
  saeFields: FormField[];
  draftOf: (request: object) => {
    texts: Record<string, string>;
    saes: { texts: Record<string, string> }[];
  };
  requestOf: (draft: unknown) => { request: unknown; problems: { path: string }[] };
  placed: (errors: { path: string; message: string }[]) => Map<string, string[]>;
  patchOf: (from: object, to: object) => unknown;
  labelsOf: (paths: string[]) => (string | undefined)[];
}
interface Labels {
  fields: Record<string, string[]>;
  saeLabels: Record<string, string>;
}

async function pageModule(path: string): Promise<PageModule> {
  return import(pathToFileURL(join(packageRoot, 'server/page', path)).href) as Promise<PageModule>;
}

/** Dotted paths of the texts of a language. */
function pathsOf(texts: unknown, prefix = ''): string[] {
  if (typeof texts === 'object' && texts !== null && !Array.isArray(texts))
    return Object.entries(texts).flatMap(([name, one]) => pathsOf(one, `${prefix}.${name}`));
  return [`${prefix}: ${Array.isArray(texts) ? `list of ${texts.length}` : typeof texts}`];
}

describe('texts of the page', () => {
  it('are the same in English and Chinese', async () => {
    const [{ en }, { zh }] = [
      await pageModule('language/en.js'),
      await pageModule('language/zh.js'),
    ];
    const isOptional = (path: string): boolean => path.startsWith('.units');
    // A hint that one language needs, the other needs too: the lists are as long.
    expect(pathsOf(zh).filter((path) => !isOptional(path))).toEqual(
      pathsOf(en).filter((path) => !isOptional(path)),
    );
  });

  it('use no half-width punctuation between Chinese characters', async () => {
    const { zh } = await pageModule('language/zh.js');
    const strings = (texts: unknown): string[] =>
      typeof texts === 'string'
        ? [texts]
        : typeof texts === 'object' && texts !== null
          ? Object.values(texts).flatMap(strings)
          : [];
    expect(strings(zh).filter((text) => /[㐀-鿿][,;:?!](?:\s|[㐀-鿿]|$)| %/.test(text))).toEqual(
      [],
    );
  });
});

describe('fields of the form', () => {
  const schema = z.toJSONSchema(requestSchema, { io: 'input' }) as JsonSchema;
  const resolved = (one: JsonSchema): JsonSchema =>
    one.$ref === undefined ? one : resolved(schema.$defs![one.$ref.split('/').at(-1)!]!);
  const fieldsOf = (one: JsonSchema): [string, JsonSchema][] =>
    Object.entries(resolved(one).properties!);
  let requestFields: FormField[];
  let saeFields: FormField[];

  beforeAll(async () => {
    ({ requestFields, saeFields } = await pageModule('form/fields.js'));
  });

  const ofRequest = (): [string, JsonSchema][] =>
    fieldsOf(schema)
      .filter(([name]) => name !== 'saes')
      .flatMap(([name, one]) =>
        name === 'dataset'
          ? fieldsOf(one).map(([inner, it]): [string, JsonSchema] => [`dataset.${inner}`, it])
          : [[name, one]],
      );
  const ofSae = (): [string, JsonSchema][] =>
    fieldsOf(resolved(fieldsOf(schema).find(([name]) => name === 'saes')![1]).items!);

  it('are all fields of a request and of an SAE, and no others', () => {
    const sorted = (paths: string[]): string[] => paths.toSorted();
    expect(sorted(requestFields.map(({ path }) => path))).toEqual(
      sorted(ofRequest().map(([path]) => path)),
    );
    expect(sorted(saeFields.map(({ path }) => path))).toEqual(
      sorted(ofSae().map(([path]) => path)),
    );
  });

  it('offer the values and show the defaults of the schema', () => {
    const form = new Map([...requestFields].map((field) => [field.path, field]));
    for (const [path, one] of ofRequest()) {
      const { enum: values, default: usual } = resolved(one);
      const field = form.get(path)!;
      if (values !== undefined) expect({ path, values: field.options }).toEqual({ path, values });
      const given = usual ?? one.default;
      if (typeof given === 'string' || typeof given === 'number')
        expect({ path, initial: field.initial }).toEqual({ path, initial: String(given) });
    }
    const sae = new Map(saeFields.map((field) => [field.path, field]));
    for (const [path, one] of ofSae())
      if (resolved(one).enum !== undefined && path !== 'kind')
        expect({ path, values: sae.get(path)!.options }).toEqual({
          path,
          values: resolved(one).enum,
        });
  });

  it('have labels in both languages', async () => {
    for (const [module, name] of [
      ['language/form-en.js', 'formEn'],
      ['language/form-zh.js', 'formZh'],
    ] as const) {
      const words = (await pageModule(module))[name];
      expect(requestFields.filter(({ path }) => words.fields[path] === undefined)).toEqual([]);
      expect(saeFields.filter(({ path }) => words.saeLabels[path] === undefined)).toEqual([]);
    }
  });
});

describe('a request in the form', () => {
  const request = {
    model: 'm',
    dataset: { path: 'd', maxSamples: 7, seqLen: 16, chunking: 'packed', shuffle: 0 },
    saes: [
      {
        checkpoint: 'a.pt',
        kind: 'TopK',
        layer: 3,
        k: 4,
        scale: [0.5, 2],
        centered: false,
        exclude: { positions: [1, null] },
        label: 'a, b',
      },
    ],
    protocol: ['strict'],
    exclude: [1, 2],
    inferK: [4, 8],
    theta: 0.5,
    saeDtype: 'bfloat16',
    tags: ['one', 'two, three'],
    metadata: { commit: '1a2b', 'a:b': 'x' },
    notes: 'first\n\nsecond ',
  };

  it('comes out as it went in', async () => {
    const { draftOf, requestOf } = await pageModule('form/draft.js');
    const draft = draftOf({ ...request, batch_size: 3, dataset: { ...request.dataset, odd: 1 } });
    expect(requestOf(draft)).toEqual({
      request: { ...request, batch_size: 3, dataset: { ...request.dataset, odd: 1 } },
      problems: [],
    });
  });

  it('leaves out what cannot be a value, and says so', async () => {
    const { draftOf, requestOf } = await pageModule('form/draft.js');
    const draft = draftOf(request);
    draft.texts['dataset.maxSamples'] = '1e';
    draft.texts['inferK'] = '4, x';
    draft.saes[0]!.texts['k'] = '1.5';
    const { problems } = requestOf(draft);
    expect(problems.map(({ path }) => path)).toEqual(['dataset.maxSamples', 'inferK', 'saes[0].k']);
  });

  it('shows a problem at the field that it names, or at the nearest', async () => {
    const { placed } = await pageModule('form/placed.js');
    expect([
      ...placed([
        { path: 'saes[0].layer', message: 'expected 1…16' },
        { path: 'metrics[3]', message: 'expected one of …' },
        { path: 'dataset.skip', message: 'is not a field' },
        { path: '', message: 'is empty' },
      ]),
    ]).toEqual([
      ['saes[0].layer', ['expected 1…16']],
      ['metrics', ['metrics[3]: expected one of …']],
      ['', ['dataset.skip: is not a field', 'is empty']],
    ]);
  });

  it('differs from an earlier one by a merge patch', async () => {
    const { patchOf } = await pageModule('form/patch.js');
    const from = { model: 'm', dataset: { path: 'd', shuffle: 7 }, saes: [{ k: 1 }], inferK: 4 };
    const to = { model: 'm', dataset: { path: 'e' }, saes: [{ k: 2 }], metadata: { a: 'b' } };
    expect(patchOf(from, to)).toEqual({
      dataset: { path: 'e', shuffle: null },
      saes: [{ k: 2 }],
      metadata: { a: 'b' },
      inferK: null,
    });
    expect(patchOf(from, from)).toEqual({});
  });

  it('labels the SAEs of a folder by what differs in their paths', async () => {
    const { labelsOf } = await pageModule('form/labels.js');
    expect(labelsOf(['runs/step_100/ae.pt', 'runs/step_200/ae.pt'])).toEqual(['100', '200']);
    expect(labelsOf(['TopK_tiny.pt', 'RouteSAE_tiny.pt'])).toEqual(['TopK', 'RouteSAE']);
    expect(labelsOf(['a/ae.pt', 'a/b/ae.pt'])).toEqual(['a/ae.pt', 'a/b/ae.pt']);
    expect(labelsOf(['a.pt'])).toEqual([undefined]);
  });
});
