//! Ed25519 verification for a Weft node, behind a C ABI. Three functions, none of which changes anything or keeps a pointer:
//!
//! * `weft_ed25519_verify`: one signature by libsodium's rule (`strict.rs`), the same answer for every input;
//! * `weft_ed25519_verify_many`: the same for each of many;
//! * `weft_ed25519_all_hold`: whether all of many hold by ZIP 215 (`batch.rs`). "No" only says that not all were shown to.
//!
//! So "yes" is all that a caller has to trust; whatever is refused here, the caller may ask its reference about.

mod batch;
mod strict;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::slice;

/// Number of the interface. The caller refuses another one.
const ABI: u32 = 1;

/// One question, as views of the caller's memory.
#[derive(Clone, Copy)]
pub struct Job<'a> {
    pub key: &'a [u8; 32],
    pub signature: &'a [u8; 64],
    pub message: &'a [u8],
}

/// Where the parts of a job stand: 32 bytes of key, 64 of signature, and the message, as offsets into one buffer.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Place {
    key: u32,
    signature: u32,
    message: u32,
    message_length: u32,
}

#[unsafe(no_mangle)]
pub extern "C" fn weft_ed25519_abi() -> u32 {
    ABI
}

/// 1 if libsodium's `crypto_sign_verify_detached` would say yes, else 0.
///
/// # Safety
/// `signature` points to 64 bytes, `message` to `length`, `key` to 32.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn weft_ed25519_verify(
    signature: *const u8,
    message: *const u8,
    length: usize,
    key: *const u8,
) -> u32 {
    let job = unsafe {
        Job {
            key: &*key.cast(),
            signature: &*signature.cast(),
            message: bytes(message, length),
        }
    };
    guarded(|| u32::from(strict::holds(job)))
}

/// Writes 1 or 0 for each job, by libsodium's rule. Returns how many it answered: all, or 0 when a place lies outside `bytes`.
///
/// # Safety
/// `base` points to `length` bytes, `places` to `count` places, `verdicts` to `count` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn weft_ed25519_verify_many(
    base: *const u8,
    length: usize,
    places: *const Place,
    count: u32,
    verdicts: *mut u8,
) -> u32 {
    guarded(|| {
        let Some(jobs) = (unsafe { jobs_at(base, length, places, count) }) else {
            return 0;
        };
        for (i, holds) in strict::each_holds(&jobs).into_iter().enumerate() {
            unsafe { *verdicts.add(i) = u8::from(holds) };
        }
        count
    })
}

/// 1 if all jobs hold by ZIP 215. 0: one does not, or a place lies outside, or the system gave no randomness.
///
/// # Safety
/// `base` points to `length` bytes, `places` to `count` places.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn weft_ed25519_all_hold(
    base: *const u8,
    length: usize,
    places: *const Place,
    count: u32,
) -> u32 {
    guarded(|| match unsafe { jobs_at(base, length, places, count) } {
        Some(jobs) => u32::from(batch::all_hold(&jobs)),
        None => 0,
    })
}

/// A panic must not cross into C. It proves nothing, so it is a "no".
fn guarded(answer: impl FnOnce() -> u32) -> u32 {
    catch_unwind(AssertUnwindSafe(answer)).unwrap_or(0)
}

/// # Safety
/// `at` points to `length` bytes, or `length` is 0.
unsafe fn bytes<'a>(at: *const u8, length: usize) -> &'a [u8] {
    if length == 0 {
        return &[];
    }
    unsafe { slice::from_raw_parts(at, length) }
}

/// # Safety
/// As `weft_ed25519_all_hold`.
unsafe fn jobs_at<'a>(
    base: *const u8,
    length: usize,
    places: *const Place,
    count: u32,
) -> Option<Vec<Job<'a>>> {
    if count == 0 {
        return Some(Vec::new());
    }
    let all = unsafe { bytes(base, length) };
    let places = unsafe { slice::from_raw_parts(places, count as usize) };
    places.iter().map(|place| job_at(all, *place)).collect()
}

fn job_at(all: &[u8], place: Place) -> Option<Job<'_>> {
    let part = |at: u32, length: usize| all.get(at as usize..(at as usize).checked_add(length)?);
    Some(Job {
        key: part(place.key, 32)?.try_into().ok()?,
        signature: part(place.signature, 64)?.try_into().ok()?,
        message: part(place.message, place.message_length as usize)?,
    })
}
