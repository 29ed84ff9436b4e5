//! A cheap signer: a keyed hash that anyone could forge. Signing is not the point of these simulations.

use peersync::base::{AuthorId, Signature, Signer, hash_parts};

pub struct TestSigner(pub AuthorId);

impl Signer for TestSigner {
    fn author(&self) -> AuthorId {
        self.0
    }

    fn sign(&self, message: &[u8]) -> Signature {
        tag(self.0, message)
    }

    fn verify(&self, author: AuthorId, message: &[u8], signature: &Signature) -> bool {
        tag(author, message) == *signature
    }
}

fn tag(author: AuthorId, message: &[u8]) -> Signature {
    let mut bytes = [0; 64];
    bytes[..32].copy_from_slice(&hash_parts(&[b"test signer", &author.0, message]).0);
    Signature(bytes)
}
