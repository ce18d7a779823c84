//! Many signatures at once by ZIP 215: with random z of 128 bits each, [8](Σ z·(S·B − R − k·A)) is the identity. If all hold it
//! always is; if one does not, it is with a chance of 2^-128, as long as who made the signatures could not know the z. So they
//! come from the operating system, after the signatures are there. Coefficients that can be computed from part of the input (or
//! are always the same) would let a signer choose a second bad signature that cancels the first.

use crate::Job;
use ed25519_zebra::{Signature, VerificationKeyBytes, batch::Verifier};
use rand_core::{TryCryptoRng, TryRng};
use std::convert::Infallible;

/// Beyond some hundreds a signature no longer gets cheaper; memory and the cost of a batch that fails grow on.
const BATCH_MAX: usize = 256;
const COEFFICIENT_BYTES: usize = 16;

pub fn all_hold(jobs: &[Job]) -> bool {
    jobs.chunks(BATCH_MAX).all(batch_holds)
}

fn batch_holds(jobs: &[Job]) -> bool {
    let mut bytes = [0; BATCH_MAX * COEFFICIENT_BYTES];
    let bytes = &mut bytes[..jobs.len() * COEFFICIENT_BYTES];
    if getrandom::fill(bytes).is_err() {
        return false;
    }
    let mut verifier = Verifier::new();
    for job in jobs {
        let key = VerificationKeyBytes::from(*job.key);
        verifier.queue((key, Signature::from_bytes(job.signature), job.message));
    }
    verifier.verify(Drawn { bytes, taken: 0 }).is_ok()
}

/// Random bytes of the operating system, fetched at once: a system call for each coefficient would cost more than it.
/// Each is handed out once; a verifier that wanted more of them would panic, which is a "no".
struct Drawn<'a> {
    bytes: &'a [u8],
    taken: usize,
}

impl TryRng for Drawn<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut word = [0; 4];
        self.try_fill_bytes(&mut word)?;
        Ok(u32::from_le_bytes(word))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut word = [0; 8];
        self.try_fill_bytes(&mut word)?;
        Ok(u64::from_le_bytes(word))
    }

    fn try_fill_bytes(&mut self, into: &mut [u8]) -> Result<(), Infallible> {
        let end = self.taken + into.len();
        into.copy_from_slice(&self.bytes[self.taken..end]);
        self.taken = end;
        Ok(())
    }
}

impl TryCryptoRng for Drawn<'_> {}
