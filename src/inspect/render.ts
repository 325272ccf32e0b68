/** A checkpoint's description as text for a terminal. */
import type { CheckpointDescription, PublishedSae } from '../schema/catalogue.js';

// Control and format characters of a file's texts could move the cursor.
const printable = (text: string): string => text.replace(/[\p{Cc}\p{Cf}]/gu, '�');

/** The text that it was trained on, as far as its file tells. */
function textLine({ exclusion, prependBos }: PublishedSae): string[] {
  const { specials = false, ids = [], kept = null } = exclusion ?? {};
  const parts = [
    ...(prependBos === undefined ? [] : [prependBos ? 'with a BOS in front' : 'without a BOS']),
    ...(specials ? ['without special tokens'] : []),
    ...(ids.length > 0 ? [`without ids ${ids.slice(0, 8).join(', ')}`] : []),
    ...(kept === null ? [] : [`positions [${kept.map((at) => at ?? '').join(':')}]`]),
  ];
  return parts.length === 0 ? [] : [`trained on contexts: ${parts.join(', ')}`];
}

function publishedLines({ published }: CheckpointDescription): string[] {
  if (published === null || published === undefined) return [];
  const {
    format,
    hookPoints,
    hookPointsOut,
    skip,
    layers,
    activation,
    normalization,
    subtractsDecoderBias,
    decoderNorm,
    publishedL0,
    groups,
    obstacle,
    notes,
  } = published;
  const hooks =
    hookPoints.length === 0
      ? 'not named'
      : `${hookPoints.join(', ')}` +
        (layers === null ? '' : `, layer${layers.length > 1 ? 's' : ''} ${layers.join(', ')}`);
  return [
    `layout of: ${format}`,
    `hook point: ${printable(hooks)}`,
    ...(hookPointsOut === undefined
      ? []
      : [`predicts: ${printable(hookPointsOut.join(', ') || 'not named')}`]),
    ...(skip === true ? ['skip connection: a linear map of its input is added'] : []),
    `input: ${normalization}${subtractsDecoderBias === true ? '; decoder bias subtracted' : ''}`,
    'activation: ' +
      `${printable(activation)}` +
      (decoderNorm === 'none'
        ? ''
        : decoderNorm === 'latents'
          ? '; latents times the norms of their decoder rows'
          : '; chosen by the norms of decoder rows'),
    ...textLine(published),
    ...(groups === undefined ? [] : [`nested groups (prefixes): ${groups.join(', ')}`]),
    ...(publishedL0 === undefined ? [] : [`published L0: ${publishedL0}`]),
    ...(obstacle === null ? [] : [`cannot be evaluated: ${printable(obstacle)}`]),
    ...notes.map(({ en }) => `note: ${printable(en)}`),
  ];
}

/** The description as text for a terminal. */
export function renderDescription(description: CheckpointDescription): string {
  const {
    path,
    format,
    prefix,
    tensors,
    values,
    opaque,
    unused,
    prefixes,
    others = [],
    candidates,
    needs,
    d,
    m,
    named,
    choices,
  } = description;
  const width = Math.max(...tensors.map(({ name }) => name.length), 0);
  const known = choices.flatMap(({ fields }) => fields.filter(({ state }) => state === 'known'));
  const fromName = Object.entries(named ?? {})
    .filter(([name]) => known.some(({ field }) => field === name))
    .map(([field, value]) => `${field} ${value}`)
    .join(', ');
  return `${[
    `${path}: ${format}${prefix === '' ? '' : `, names without '${printable(prefix)}'`}`,
    ...tensors.map(
      ({ name, dtype, shape }) =>
        `  ${printable(name).padEnd(width)}  ${dtype.padEnd(8)}  [${shape.join(', ')}]`,
    ),
    ...Object.entries(values).map(([key, value]) => `  ${printable(key)} = ${printable(value)}`),
    ...Object.entries(opaque).map(
      ([key, what]) => `  ${printable(key)}: ${printable(what)}, not read`,
    ),
    ...(others.length === 0
      ? []
      : [
          '  beside it: ' +
            `${printable(others.slice(0, 8).join(', '))}${others.length > 8 ? ', …' : ''}`,
        ]),
    ...(unused.length === 0 || candidates.length === 0
      ? []
      : [
          '  not used: ' +
            `${printable(unused.slice(0, 8).join(', '))}${unused.length > 8 ? ', …' : ''}`,
        ]),
    ...(prefixes.length === 0
      ? []
      : [
          `holds ${prefixes.length} SAEs, told apart by prefix: ` +
            `${printable(prefixes.map((prefix) => `'${prefix}'`).join(', '))}; the first is:`,
        ]),
    ...(d === null || m === null ? [] : [`sizes: d = ${d}, m = ${m}`]),
    ...publishedLines(description),
    `can be: ${candidates.join(', ') || 'none of the kinds'}`,
    ...(fromName === '' ? [] : [`from its name, if a request leaves it out: ${fromName}`]),
    ...(needs.length === 0 ? [] : [`must be given with it: ${needs.join('; ')}`]),
  ].join('\n')}\n`;
}
