/** @file GELU in WGSL: `phi` is the normal distribution function, or its stand-in in the tanh form. */

/** Abramowitz and Stegun 7.1.26, as TensorFlow.js has it: at most 1.5e-7 off. */
const ERF = `
  fn errorFunction(x : f32) -> f32 {
    let t = 1.0 / (1.0 + 0.3275911 * abs(x));
    let series = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
    return sign(x) * (1.0 - series * exp(-x * x));
  }
  fn phi(z : f32) -> f32 {
    return 0.5 * (1.0 + errorFunction(z * ${Math.SQRT1_2}));
  }
  fn geluSlope(z : f32) -> f32 {
    return phi(z) + z * exp(-0.5 * z * z) * ${1 / Math.sqrt(2 * Math.PI)};
  }
`;

const TANH_SCALE = Math.sqrt(2 / Math.PI);
const TANH_CUBIC = 0.044715;

const TANH = `
  // Drivers may compute tanh by exp, which overflows far out.
  fn tanhPart(z : f32) -> f32 {
    return tanh(clamp(${TANH_SCALE} * z * (1.0 + ${TANH_CUBIC} * z * z), -15.0, 15.0));
  }
  fn phi(z : f32) -> f32 {
    return 0.5 * (1.0 + tanhPart(z));
  }
  fn geluSlope(z : f32) -> f32 {
    let t = tanhPart(z);
    return 0.5 * (1.0 + t) + 0.5 * z * (1.0 - t * t) * ${TANH_SCALE} * (1.0 + ${3 * TANH_CUBIC} * z * z);
  }
`;

/** Functions `geluOf` and `geluSlope`, its derivative. */
export function geluSource(kind: 'erf' | 'tanh'): string {
  return `
    ${kind === 'erf' ? ERF : TANH}
    fn geluOf(z : f32) -> f32 {
      return z * phi(z);
    }
  `;
}
