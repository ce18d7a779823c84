//! One signature at a time, by the rule of libsodium's `crypto_sign_verify_detached` (as `sodium-native` builds it), to the letter:
//!
//! 1. S is below L;
//! 2. A is the canonical encoding of a point that is not of small order;
//! 3. R' = [S]B − [k]A with k = SHA-512(R ‖ A ‖ M) mod L is, encoded, R byte for byte (no cofactor), and not of small order.
//!
//! It is deterministic: nothing random decides, and a bad signature costs what a good one does.

use crate::Job;
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::scalar::Scalar;
use sha2::{Digest, Sha512};
use std::cell::RefCell;
use std::collections::HashMap;

/// Keys remembered per thread, decoded: 200 bytes each. Decoding one costs a third of a verification, and few sign most.
const KEYS_MAX: usize = 4096;

thread_local! {
    /// −A of keys that passed rule 2.
    static KEYS: RefCell<HashMap<[u8; 32], EdwardsPoint>> = RefCell::new(HashMap::new());
}

pub fn holds(job: Job) -> bool {
    expected(job).is_some_and(|point| point.compress().0 == job.signature[..32])
}

/// The same for each. Encoding many points at once shares the one costly step of it.
pub fn each_holds(jobs: &[Job]) -> Vec<bool> {
    let points: Vec<Option<EdwardsPoint>> = jobs.iter().map(|job| expected(*job)).collect();
    let found: Vec<EdwardsPoint> = points.iter().flatten().copied().collect();
    let mut encoded = EdwardsPoint::compress_batch_alloc(&found).into_iter();
    jobs.iter()
        .zip(&points)
        .map(|(job, point)| {
            point.is_some()
                && encoded
                    .next()
                    .is_some_and(|bytes| bytes.0 == job.signature[..32])
        })
        .collect()
}

/// R', which is what R must be; none when rules 1 to 3 refuse the signature whatever R is.
fn expected(job: Job) -> Option<EdwardsPoint> {
    let (r, s) = job.signature.split_at(32);
    let s = Option::<Scalar>::from(Scalar::from_canonical_bytes(s.try_into().ok()?))?;
    let minus_a = negated_key(job.key)?;
    let hash = Sha512::new()
        .chain_update(r)
        .chain_update(job.key)
        .chain_update(job.message)
        .finalize();
    let k = Scalar::from_bytes_mod_order_wide(&hash.into());
    let point = EdwardsPoint::vartime_double_scalar_mul_basepoint(&k, &minus_a, &s);
    (!point.is_small_order()).then_some(point)
}

fn negated_key(key: &[u8; 32]) -> Option<EdwardsPoint> {
    KEYS.with_borrow_mut(|keys| {
        if let Some(point) = keys.get(key) {
            return Some(*point);
        }
        let point = CompressedEdwardsY(*key).decompress()?;
        if point.compress().0 != *key || point.is_small_order() {
            return None;
        }
        // All of them: which one is asked for next is not worth the bookkeeping of an order.
        if keys.len() >= KEYS_MAX {
            keys.clear();
        }
        keys.insert(*key, -point);
        Some(-point)
    })
}
