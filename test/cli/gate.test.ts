/** Gates: what they mean, what is refused before a run, and what they make of a result. */
import { describe, expect, it } from 'vitest';
import { checkGate, checkResult, parseGate } from '#src/cli/gate.js';
import { judge } from '#src/cli/show-result.js';
import { evaluationResult, saeResult } from '../report/fixture.js';

describe('parseGate', () => {
  it.each([
    ['TopK.strict.KLDivPerToken > 0.2', 'TopK', 'strict', 'KLDivPerToken', '>', 0.2],
    ['TopK.reference.NormMSE>=1e-3', 'TopK', 'reference', 'NormMSE', '>=', 0.001],
    ['step_1.5 k=16.strict.L0 != -1', 'step_1.5 k=16', 'strict', 'L0', '!=', -1],
    ['"a > b.c".strict.L0 == 16', 'a > b.c', 'strict', 'L0', '==', 16],
    ['*.strict.L0 <= 16', null, 'strict', 'L0', '<=', 16],
    ['any.strict.L0 < 16', null, 'strict', 'L0', '<', 16],
    ['"any".strict.L0 < 16', 'any', 'strict', 'L0', '<', 16],
    ['a.saelens@6.52.mse > 9', 'a', 'saelens@6.52', 'mse', '>', 9],
    ['a.b.saebench.l0 > 9', 'a.b', 'saebench@0.6', 'l0', '>', 9],
  ])('reads %s', (text, label, protocol, field, comparison, limit) =>
    expect(parseGate(text)).toEqual({ text, label, protocol, field, comparison, limit }),
  );

  it.each([
    ['TopK', /expected LABEL.PROTOCOL.METRIC, a comparison and a number/],
    ['TopK > 1', /expected LABEL.PROTOCOL.METRIC before >/],
    ['TopK.strict.L0 => 1', /expected one of < <= > >= == !=, found =>/],
    ['TopK.strict.L0 > ', /expected a number after >, found ''/],
    ['TopK.strict.L0 > 1k', /expected a number after >, found '1k'/],
    ['TopK.strict.L0 > Infinity', /expected a number/],
    ['TopK.strickt.L0 > 1', /found 'strickt'; did you mean strict\?/],
    ['TopK.strict.KLPerToken > 1', /no metric 'KLPerToken'; did you mean KLDivPerToken\?/],
    ['TopK.reference.KLDivPerToken > 1', /reference has no metric 'KLDivPerToken'/],
    ['TopK.strict.xyzzy > 1', /no metric 'xyzzy': it has NormMSE, /],
    ['TopK.strict.DensityHistogram > 1', /is not a single number; expected one of NormMSE/],
    ['"TopK.strict.L0 > 1', /expected a label in double quotes/],
    ['TopK.saelens@6.5.l0 > 1', /saelens has no version '6.5': there are saelens@6.52, /],
    ['TopK.saelens.l_0 > 1', /saelens@6.52 has no number 'l_0'; did you mean l0\?/],
  ])('refuses %s', (text, message) => expect(() => parseGate(text)).toThrow(message));
});

const result = evaluationResult({
  results: [saeResult('TopK'), saeResult('Crosscoder', { label: 'Cross coder' })],
});
const request = { ...result.config, saes: result.results.map(({ label }) => ({ label })) } as never;

describe('checkGate', () => {
  const check = (text: string, change: object = {}) =>
    checkGate(parseGate(text), { ...(request as object), ...change } as never);
  it('takes what the request computes', () => {
    check('TopK.strict.L0 > 1');
    check('*.reference.KLDiv > 1');
  });
  it('refuses what it does not', () => {
    expect(() => check('topk.strict.L0 > 1')).toThrow("labelled 'topk'; did you mean TopK?");
    expect(() => check('*.strict.L0 > 1', { protocol: ['reference'] })).toThrow(
      'does not ask for the protocol strict',
    );
    expect(() => check('*.saelens.l0 > 1')).toThrow('ask for the protocol saelens@6.52');
    check('*.saelens.l0 > 1', { protocol: ['saelens'], metrics: ['L0'] });
    expect(() => check('*.strict.KLDivPerToken > 1', { metrics: ['L0'] })).toThrow(
      'leaves the metric KLDiv out',
    );
  });
});

describe('checkResult', () => {
  const of = (text: string) => checkResult(parseGate(text), result);
  const { L0, NormMSE } = result.results[0]!.strict!;

  it('fires when it holds, with the value and the limit', () => {
    expect(of('TopK.strict.L0 > 15')).toEqual({
      fired: true,
      open: false,
      lines: [
        `--fail-if 'TopK.strict.L0 > 15' holds: TopK.strict.L0 is ${L0!.mean}, the limit > 15`,
      ],
    });
    expect(of(`TopK.strict.NormMSE <= ${NormMSE!.mean}`).fired).toBe(true);
    expect(of(`TopK.strict.NormMSE < ${NormMSE!.mean}`)).toEqual({
      fired: false,
      open: false,
      lines: [],
    });
    expect(of('Cross coder.strict.L0 > 0').fired).toBe(true);
  });

  it('says what has no value', () => {
    const missing = of('Cross coder.reference.KLDiv > 0');
    expect(missing).toMatchObject({ fired: false, open: true });
    expect(missing.lines[0]).toMatch(/Cross coder.reference.KLDiv has no value/);
    expect(of('*.reference.KLDiv > 0')).toMatchObject({ fired: true, open: false });
  });

  it('decides the exit code, unless an SAE failed', () => {
    const code = (text: string, change: object = {}) =>
      judge({ ...result, ...change }, [parseGate(text)]);
    expect(code('TopK.strict.L0 > 100')).toBe(0);
    expect(code('TopK.strict.L0 > 1')).toBe(3);
    expect(code('Cross coder.reference.KLDiv > 0')).toBe(2);
    expect(code('TopK.strict.L0 > 1', { status: 'partial' })).toBe(1);
  });
});
