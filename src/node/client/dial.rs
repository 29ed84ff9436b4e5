//! The way to the backend: dials, serves the session, dials again when it ends (SPEC §8).

use std::{sync::Arc, time::Duration};

use futures::{
    FutureExt, StreamExt,
    channel::{mpsc, oneshot},
    future::Fuse,
    select_biased,
};
use futures_timer::Delay;
use libp2p::{PeerId, Stream, swarm::DialError};

use super::{ClientEvent, Nudge, Shared, Status};
use crate::{
    base::{
        Timestamp,
        limits::{UPLINK_END_MS, UPLINK_FIT_MS, WAKE_PROBE_MS},
        note,
    },
    mesh::{Redial, RedialAction},
    node::{SYNC_PROTOCOL, clock, swarm::Dialed},
};

/// The first nudge starts the loop; a dropped client ends the wait.
pub(super) async fn wait_for_start(mut nudges: mpsc::Receiver<Nudge>) -> Option<mpsc::Receiver<Nudge>> {
    match nudges.next().await? {
        Nudge::Wake => Some(nudges),
        Nudge::Close(done) => {
            let _ = done.send(());
            None
        }
    }
}

/// Dials, serves the session, dials again; until closed, or until the address turns out to be another peer's.
pub(super) async fn run(shared: Arc<Shared>, mut nudges: mpsc::Receiver<Nudge>) {
    let seed = clock::random_seed().unwrap_or_default();
    let mut redial = Redial::new(clock::now(), seed);
    // Whatever became of the nudge that says so: a client that has ended must not sign in to anything.
    while shared.lock().status != Status::Closed {
        let pause = match redial.poll(clock::now()) {
            RedialAction::Dial => {
                match attempt(&shared, &mut redial, &mut nudges).await {
                    Attempt::Again => {}
                    Attempt::Stop => return,
                }
                continue;
            }
            RedialAction::Wait(at) => at.since(clock::now()),
            // Far less than a browser's timer can count.
            RedialAction::Rest => 60_000,
        };
        let mut delay = Delay::new(Duration::from_millis(pause)).fuse();
        select_biased! {
            nudge = nudges.next() => match nudge {
                Some(Nudge::Wake) => redial.nudge(clock::now()),
                Some(Nudge::Close(done)) => {
                    let _ = done.send(());
                    return;
                }
                None => return,
            },
            () = delay => {}
        }
    }
}

enum Attempt {
    Again,
    Stop,
}

async fn attempt(shared: &Arc<Shared>, redial: &mut Redial, nudges: &mut mpsc::Receiver<Nudge>) -> Attempt {
    shared.set_status(Status::Connecting);
    // Neither is armed before somebody wakes the client.
    let (mut nudged, mut heard) = (false, 0);
    let mut probe = Fuse::<Delay>::terminated();
    let mut session = std::pin::pin!(session(shared).fuse());
    let ended = loop {
        select_biased! {
            ended = session => break ended,
            nudge = nudges.next() => match nudge {
                // A dial that hangs on the old network is not waited out; a session must show that it lives.
                Some(Nudge::Wake) if shared.lock().status == Status::Connected => {
                    heard = shared.counters.bytes_received();
                    probe = Delay::new(Duration::from_millis(WAKE_PROBE_MS)).fuse();
                }
                Some(Nudge::Wake) => nudged = true,
                Some(Nudge::Close(done)) => {
                    let _ = done.send(());
                    return Attempt::Stop;
                }
                None => return Attempt::Stop,
            },
            () = probe => {
                if shared.counters.bytes_received() == heard {
                    nudged = true;
                    break Ended::Lost { reason: "nothing was heard after waking up".to_owned(), since: clock::now() };
                }
            }
        }
    };
    let deaf = shared.lock().backend.filter(|_| nudged);
    if let Some(peer) = deaf {
        shared.room.forget_links();
        shared.node.disconnect(peer).await;
    }
    shared.lock().backend = None;
    let now = clock::now();
    let reason = match ended {
        Ended::Fatal { code, message } => {
            redial.stop();
            shared.tabs.leave();
            {
                let mut state = shared.lock();
                (state.running, state.fatal) = (false, Some((code, message.clone())));
            }
            shared.tell(ClientEvent::Error { code, message });
            shared.set_status(Status::Disconnected);
            return Attempt::Stop;
        }
        Ended::NotConnected(message) => {
            shared.tell(ClientEvent::Error { code: "CONNECTION_FAILED", message: message.clone() });
            message
        }
        Ended::Lost { reason, since } => {
            redial.connected(since);
            shared.tell(ClientEvent::Disconnected(reason.clone()));
            reason
        }
    };
    note!(reason, "no session with the backend");
    shared.set_status(Status::Disconnected);
    let (attempt, mut delay_ms) = redial.lost(now);
    if nudged || shared.tabs.have_moved() {
        redial.nudge(now);
        delay_ms = 0;
    }
    shared.lock().reconnects += 1;
    shared.tell(ClientEvent::Reconnecting { attempt, delay_ms });
    Attempt::Again
}

enum Ended {
    Fatal { code: &'static str, message: String },
    NotConnected(String),
    Lost { reason: String, since: Timestamp },
}

/// One connection and its session, from dial to end.
async fn session(shared: &Arc<Shared>) -> Ended {
    note!(address = %shared.target.address, "dialing");
    let dialed = shared.node.dial(shared.target.address.clone(), shared.target.peer).await;
    let Dialed { peer, closed } = match dialed {
        Ok(dialed) => dialed,
        Err(DialError::WrongPeerId { obtained, .. }) => {
            let message = format!("the address answers as {obtained}, not as the peer it names");
            return Ended::Fatal { code: "PEER_ID_MISMATCH", message };
        }
        Err(error) => {
            shared.missed().await;
            return Ended::NotConnected(describe(&error));
        }
    };
    let opened = shared.node.control.clone().open_stream(peer, SYNC_PROTOCOL).await;
    let stream = match opened {
        Ok(stream) => stream,
        Err(error) => {
            shared.node.disconnect(peer).await;
            return Ended::NotConnected(error.to_string());
        }
    };
    shared.reached(peer).await;
    let since = clock::now();
    {
        let mut state = shared.lock();
        if state.status == Status::Closed {
            return Ended::Lost { reason: "closed".to_owned(), since };
        }
        (state.backend, state.last_backend) = (Some(peer), Some(peer));
    }
    shared.set_status(Status::Connected);
    shared.tell(ClientEvent::Connected(peer));
    shared.touch();
    let reason = serve(shared, peer, stream, closed).await;
    // A session that was cut off in the middle of `serve` must still be taken off the engine.
    shared.room.forget_links();
    shared.node.disconnect(peer).await;
    Ended::Lost { reason, since }
}

/// Serves the session until it ends; answers why it did.
async fn serve(shared: &Arc<Shared>, peer: PeerId, stream: Stream, closed: oneshot::Receiver<String>) -> String {
    let mut serving = std::pin::pin!(shared.room.serve(peer, stream, true, None).fuse());
    let (mut closed, mut fit) = (closed.fuse(), delay(UPLINK_FIT_MS));
    let mut is_fit = false;
    let gone = |reason: Result<_, _>| reason.unwrap_or_else(|_| "closed".to_owned());
    loop {
        select_biased! {
            reason = closed => return gone(reason),
            () = serving => break,
            () = fit => {
                is_fit = true;
                shared.tabs.set_fit(true);
            }
        }
    }
    // A connection that ends takes its session with it, which may be heard first.
    select_biased! { reason = closed => return gone(reason), () = delay(UPLINK_END_MS) => {} }
    // Told before the connection is given up, and with it those of the tabs that it carries.
    if !is_fit {
        shared.tabs.set_fit(false);
    }
    "the session ended".to_owned()
}

fn delay(ms: u64) -> Fuse<Delay> {
    Delay::new(Duration::from_millis(ms)).fuse()
}

/// A dial error without libp2p's nesting.
fn describe(error: &DialError) -> String {
    match error {
        DialError::Transport(errors) => {
            errors.first().map_or_else(|| error.to_string(), |(address, error)| format!("{address}: {}", root(error)))
        }
        other => other.to_string(),
    }
}

fn root(error: &dyn std::error::Error) -> String {
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}
