//! `/readyz`: whether the store takes writes. Asking costs a write to disk, so answers are kept for a moment; however
//! many ask, the store sees one write at a time.

use std::sync::Arc;

use tokio::{
    sync::Mutex,
    time::{self, Instant},
};

use super::limits::{READINESS_LIFETIME, READINESS_TIMEOUT};
use crate::storage::{Store, Write};

/// Key of the value that is written to see whether writing works.
const PROBE_KEY: &str = "server/ready";

/// Knows whether the store takes writes.
#[derive(Debug)]
pub(super) struct Readiness {
    store: Arc<dyn Store>,
    last: Mutex<Option<(Instant, Result<(), String>)>>,
}

impl Readiness {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        Self { store, last: Mutex::new(None) }
    }

    /// The store's answer, at most a moment old, or why there is none.
    pub(super) async fn check(&self) -> Result<(), String> {
        let mut last = self.last.lock().await;
        if let Some((at, answer)) = &*last
            && at.elapsed() < READINESS_LIFETIME
        {
            return answer.clone();
        }
        let answer = self.probe().await;
        *last = Some((Instant::now(), answer.clone()));
        answer
    }

    async fn probe(&self) -> Result<(), String> {
        let write = Write::Meta { key: PROBE_KEY.to_owned(), value: Some(Vec::new()) };
        match time::timeout(READINESS_TIMEOUT, self.store.commit(vec![write])).await {
            Ok(answer) => answer.map_err(|error| error.to_string()),
            Err(_) => Err("the store does not answer".to_owned()),
        }
    }
}
