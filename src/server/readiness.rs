//! `/readyz`: whether the store takes writes. Asking costs a write to disk, so answers are kept for a moment; however
//! many ask, the store sees one write at a time.

use std::sync::Arc;

use tokio::{sync::Mutex, time};

use super::limits::{READINESS_LIFETIME, READINESS_TIMEOUT};
use crate::storage::{Flush, Store, Write};

/// Key of the value that is written to see whether writing works.
const PROBE_KEY: &str = "server/ready";

/// Knows whether the store takes writes.
#[derive(Debug)]
pub(super) struct Readiness {
    store: Arc<dyn Store>,
    /// Emptied by a timer.
    last: Arc<Mutex<Option<Answer>>>,
}

/// Why the store does not take writes, if so.
type Answer = Result<(), String>;

impl Readiness {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        Self { store, last: Arc::default() }
    }

    /// The store's answer, at most a moment old. `unsaved` is how many rooms it refuses to store: a disk may take the
    /// probe's few bytes and no operation.
    pub(super) async fn check(&self, unsaved: u64) -> Answer {
        self.look().await?;
        if unsaved == 0 { Ok(()) } else { Err(format!("the store refuses to store {unsaved} rooms")) }
    }

    async fn look(&self) -> Answer {
        let mut last = self.last.lock().await;
        if let Some(answer) = &*last {
            return answer.clone();
        }
        let answer = self.probe().await;
        *last = Some(answer.clone());
        let stale = Arc::clone(&self.last);
        // Ends by itself, and there is one per answer, so one at a time.
        tokio::spawn(async move {
            time::sleep(READINESS_LIFETIME).await;
            *stale.lock().await = None;
        });
        answer
    }

    async fn probe(&self) -> Answer {
        let write = Write::Meta { key: PROBE_KEY.to_owned(), value: Some(Vec::new()) };
        match time::timeout(READINESS_TIMEOUT, self.store.commit(vec![write], Flush::Strict)).await {
            Ok(answer) => answer.map_err(|error| error.to_string()),
            Err(_) => Err("the store does not answer".to_owned()),
        }
    }
}
