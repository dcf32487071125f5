/** @file The normal distribution function, exact or as the tanh form has it, and GELU's slope. */
import { erf4, exp4 } from './vectorMath';

/** √(2/π) and the cubic term of the tanh form. */
const TANH_SCALE: f32 = 0.7978845608;
const TANH_CUBIC: f32 = 0.044715;
const SQRT_HALF: f32 = 0.7071067812;
/** 1/√(2π) */
const DENSITY: f32 = 0.3989422804;

/**
 * Φ(z), so that GELU(z) = z Φ(z). The tanh form (1 + tanh u)/2 is the logistic function of 2u, free of cancellation.
 */
@inline
export function distribution4(z: v128, tanhForm: bool): v128 {
  const one = f32x4.splat(1);
  if (tanhForm) {
    const cubic = f32x4.add(f32x4.mul(f32x4.mul(z, z), f32x4.splat(TANH_CUBIC)), one);
    const exponent = f32x4.mul(f32x4.mul(z, cubic), f32x4.splat(-2 * TANH_SCALE));
    return f32x4.div(one, f32x4.add(one, exp4(exponent)));
  }
  const erf = erf4(f32x4.mul(z, f32x4.splat(SQRT_HALF)));
  return f32x4.mul(f32x4.add(erf, one), f32x4.splat(0.5));
}

/** GELU'(z) given Φ(z): Φ + z φ, or Φ + 2 z Φ (1 − Φ) du/dz in the tanh form. */
@inline
export function geluSlope4(z: v128, distribution: v128, tanhForm: bool): v128 {
  const square = f32x4.mul(z, z);
  if (tanhForm) {
    const inner = f32x4.mul(
      f32x4.add(f32x4.mul(square, f32x4.splat(3 * TANH_CUBIC)), f32x4.splat(1)),
      f32x4.splat(2 * TANH_SCALE),
    );
    const logistic = f32x4.mul(distribution, f32x4.sub(f32x4.splat(1), distribution));
    return f32x4.add(distribution, f32x4.mul(f32x4.mul(z, inner), logistic));
  }
  const density = f32x4.mul(exp4(f32x4.mul(square, f32x4.splat(-0.5))), f32x4.splat(DENSITY));
  return f32x4.add(distribution, f32x4.mul(z, density));
}
