//! Hash and signature seams. SHA-256 (FIPS 180-4) and Ed25519 (RFC 8032), verified strictly: no small-order keys,
//! no malleable signatures.

use std::fmt;

use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

use super::id::AuthorId;

/// An Ed25519 signature, or whatever 64 bytes a test signer makes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature(pub [u8; 64]);

/// A SHA-256 digest.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// Its first half: enough where nobody gains from a collision.
    #[must_use]
    pub fn short(&self) -> [u8; 16] {
        let mut start = [0; 16];
        start.copy_from_slice(&self.0[..16]);
        start
    }
}

/// SHA-256 of `bytes`.
#[must_use]
pub fn hash(bytes: &[u8]) -> Hash {
    Hash(Sha256::digest(bytes).into())
}

/// SHA-256 over length-prefixed parts, so that no two lists of parts collide.
#[must_use]
pub fn hash_parts(parts: &[&[u8]]) -> Hash {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    Hash(hasher.finalize().into())
}

/// Signs as one author and verifies anyone. Simulations use a cheap one where signing is not the point.
pub trait Signer: Send {
    /// Whose signatures [`Signer::sign`] makes.
    fn author(&self) -> AuthorId;
    /// Signs `message`; the caller has put a context in front.
    fn sign(&self, message: &[u8]) -> Signature;
    /// Whether `signature` is `author`'s over `message`. False for a key that is none.
    fn verify(&self, author: AuthorId, message: &[u8], signature: &Signature) -> bool;
}

/// The real signer: Ed25519.
pub struct Ed25519 {
    key: SigningKey,
}

impl Ed25519 {
    /// A signer from its 32 secret bytes.
    #[must_use]
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self { key: SigningKey::from_bytes(&seed) }
    }
}

impl Signer for Ed25519 {
    fn author(&self) -> AuthorId {
        AuthorId(self.key.verifying_key().to_bytes())
    }

    fn sign(&self, message: &[u8]) -> Signature {
        Signature(self.key.sign(message).to_bytes())
    }

    fn verify(&self, author: AuthorId, message: &[u8], signature: &Signature) -> bool {
        let Ok(key) = VerifyingKey::from_bytes(&author.0) else { return false };
        key.verify_strict(message, &ed25519_dalek::Signature::from_bytes(&signature.0)).is_ok()
    }
}

impl fmt::Debug for Ed25519 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ed25519({:?})", self.author())
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sig:{}", short_hex(&self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", short_hex(&self.0))
    }
}

/// The first four bytes in hexadecimal, for logs.
pub(crate) fn short_hex(bytes: &[u8]) -> String {
    bytes.iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d3_signatures_bind_author_and_message() {
        let signer = Ed25519::from_seed([7; 32]);
        let signature = signer.sign(b"hello");
        assert!(signer.verify(signer.author(), b"hello", &signature));
        assert!(!signer.verify(signer.author(), b"hellp", &signature));
        assert!(!signer.verify(Ed25519::from_seed([8; 32]).author(), b"hello", &signature));
    }

    #[test]
    fn d3_small_order_keys_verify_nothing() {
        // The identity point as public key with R = identity, s = 0 passes a lax verifier for every message.
        let mut identity = [0u8; 32];
        identity[0] = 1;
        let mut signature = [0u8; 64];
        signature[0] = 1;
        let signer = Ed25519::from_seed([7; 32]);
        assert!(!signer.verify(AuthorId(identity), b"anything", &Signature(signature)));
    }

    #[test]
    fn hash_parts_separates_its_parts() {
        assert_ne!(hash_parts(&[b"ab", b"c"]), hash_parts(&[b"a", b"bc"]));
    }
}
