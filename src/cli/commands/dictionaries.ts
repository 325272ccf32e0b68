/** `sae-eval dictionaries`: whether SAEs have the same dictionary, from their files. */
import { SaeEvalError } from '../../errors.js';
import { compareDictionaries } from '../../evaluation/dictionaries/compare-files.js';
import { resolveDevice } from '../../evaluation/run/device.js';
import { freeOnDevice } from '../../evaluation/run/cuda-device.js';
import { saeKinds } from '../../schema/index.js';
import { devices } from '../../torch/index.js';
import { shownJson } from '../../shown-text.js';
import { dictionaryTable } from '../dictionary-table.js';
import { localeLanguage, type Language } from '../language.js';

export interface DictionariesFlags {
  kind?: string;
  absolute?: boolean;
  exactUpTo?: string;
  candidates?: string;
  device?: string;
  json?: boolean;
  lang?: Language;
}

function count(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= 2 ** 30) return value;
  throw new SaeEvalError(
    'request-invalid',
    `--${flag}: expected a whole number from 1 to 2^30, found '${text}'`,
  );
}

/** Prints PW-MCC and MMCS of each pair. */
export async function dictionaries(
  checkpoints: readonly string[],
  { absolute = false, json = false, lang = localeLanguage(), device, ...flags }: DictionariesFlags,
): Promise<void> {
  if (checkpoints.length < 2)
    throw new SaeEvalError(
      'request-invalid',
      `expected at least two checkpoints to compare, found ${checkpoints.length}`,
    );
  const kind = saeKinds.find((one) => one === flags.kind);
  if (flags.kind !== undefined && kind === undefined)
    throw new SaeEvalError(
      'request-invalid',
      `--kind: expected one of ${saeKinds.join(', ')}, found '${flags.kind}'`,
    );
  const pairs = await compareDictionaries(
    checkpoints.map((checkpoint) => ({ checkpoint, kind })),
    {
      absolute,
      exactUpTo: count('exact-up-to', flags.exactUpTo),
      candidates: count('candidates', flags.candidates),
      ...(device === undefined ? {} : { device: resolveDevice(device, devices(), freeOnDevice) }),
    },
  );
  process.stdout.write(json ? `${shownJson(pairs)}\n` : `${dictionaryTable(pairs, { lang })}\n`);
}
