//! Chance that can be repeated.

use std::env;

use fastrand::Rng;

/// The variable with the seed to use again.
const SEED: &str = "EDEPOSIT_TEST_SEED";

/// A generator of random numbers for one test. Its seed is printed, so that it is seen when the test fails;
/// `EDEPOSIT_TEST_SEED` in the environment has the test use that seed again.
///
/// # Panics
/// The variable holds something else than a number.
pub fn random() -> Rng {
    let seed = match env::var(SEED) {
        Ok(seed) => seed.parse().unwrap_or_else(|_| panic!("{SEED}={seed}")),
        Err(_) => fastrand::u64(..1_000_000),
    };
    println!("random by seed {seed}: {SEED}={seed} repeats it");
    Rng::with_seed(seed)
}
