import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeAnswer, decodeRequest, encodeAnswer, encodeRequest, FrameError, type SumRequest } from '#src/remote';

const matrix = fc
  .record({ rows: fc.integer({ min: 1, max: 5 }), width: fc.integer({ min: 1, max: 7 }) })
  .chain(({ rows, width }) =>
    fc.float32Array({ minLength: rows * width, maxLength: rows * width }).map((values) => ({ rows, width, values })),
  );

const request: fc.Arbitrary<SumRequest> = fc.array(matrix, { minLength: 1, maxLength: 3 }).chain((inputs) =>
  fc.record({
    math: fc.record({
      normActivation: fc.constantFrom('l2NormGelu', 'softmax', 'x'),
      gelu: fc.constantFrom('erf', 'tanh'),
      normEpsilon: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
    inputs: fc.constant(inputs),
    sums: fc.array(
      fc.record({
        input: fc.integer({ min: 0, max: inputs.length - 1 }),
        groups: fc.array(fc.record({ index: fc.integer({ min: 0, max: 2 ** 31 - 1 }), linear: fc.boolean() }), {
          minLength: 1,
          maxLength: 4,
        }),
      }),
      { minLength: 1, maxLength: 4 },
    ),
  }),
);

/** Runs `decode` on bytes that may be anything. */
function refusesOrReads(decode: () => unknown): void {
  try {
    decode();
  } catch (error) {
    expect(error).toBeInstanceOf(FrameError);
  }
}

describe('frames', () => {
  it('arrive as they were sent', () => {
    fc.assert(
      fc.property(request, (sent) => {
        expect(decodeRequest(encodeRequest(sent))).toEqual(sent);
      }),
    );
    fc.assert(
      fc.property(fc.array(matrix, { minLength: 1, maxLength: 4 }), (sent) => {
        expect(decodeAnswer(encodeAnswer(sent))).toEqual(sent);
      }),
    );
  });

  it('are read or refused, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        refusesOrReads(() => decodeRequest(bytes));
        refusesOrReads(() => decodeAnswer(bytes));
      }),
    );
    const damage = fc.record({ at: fc.nat(), byte: fc.nat(255), cut: fc.option(fc.nat()) });
    fc.assert(
      fc.property(request, damage, (sent, { at, byte, cut }) => {
        const bytes = encodeRequest(sent);
        bytes[at % bytes.length] = byte;
        refusesOrReads(() => decodeRequest(cut === null ? bytes : bytes.subarray(0, cut % bytes.length)));
      }),
      { numRuns: 500 },
    );
  });

  it('take no memory for what they only announce', () => {
    const bytes = encodeAnswer([{ rows: 1, width: 1, values: Float32Array.of(1) }]);
    const view = new DataView(bytes.buffer);
    view.setUint32(16, 2 ** 32 - 1, true);
    expect(() => decodeAnswer(bytes)).toThrow(/expected a matrix of at most 67108864 bytes, got \[4294967295, 1\]/);
    view.setUint32(16, 2 ** 24, true);
    expect(() => decodeAnswer(bytes)).toThrow(/expected 67108864 bytes of numbers by its shapes, got 4/);
  });

  it('of another version are refused', () => {
    const bytes = encodeAnswer([{ rows: 1, width: 1, values: Float32Array.of(1) }]);
    bytes[4] = 2;
    expect(() => decodeAnswer(bytes)).toThrow('expected version 1, got 2');
  });
});
