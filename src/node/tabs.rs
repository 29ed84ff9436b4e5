//! What a node does with the other tabs of its origin (SPEC §13): a room's sessions with them, and carrying their
//! connections over its own.

use std::{collections::BTreeSet, fmt::Write as _, sync::Arc, time::Duration};

use futures::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, FutureExt, StreamExt,
    future::{Either, Fuse, pending, select},
    pin_mut, select_biased,
    stream::FuturesUnordered,
};
use futures_timer::Delay;
use libp2p::{PeerId, Stream};
use libp2p_stream::{Control, OpenStreamError};

use super::{
    clock,
    room::Room,
    tunnels::{TUNNEL_TAKEN, UPLINK_PROTOCOL},
};
use crate::{
    base::{
        NodeId, RoomId,
        limits::{MAX_NODE_ID_BYTES, MAX_TABS, TAB_ANSWER_MS, TAB_CORE, TAB_RETRY_MS, TUNNEL_BUFFER_BYTES},
        note,
    },
    gossip::Neighbour,
    transport::tabs::{Offer, TabBus, TabEvent, TabId, locks},
};

/// A number that no other tab has.
///
/// # Errors
/// When the platform has no source of randomness.
pub(crate) fn random_tab() -> Result<TabId, getrandom::Error> {
    clock::random_writer().map(|writer| TabId::new(writer.0))
}

/// What names something of a room among the tabs with one database.
fn name_of(prefix: &str, db_name: &str, room: RoomId) -> String {
    let mut name = format!("{prefix}/{db_name}/room/");
    for byte in room.0 {
        let _ = write!(name, "{byte:02x}");
    }
    name
}

/// Lets one tab at a time fold what all of them store: two would undo each other's work. For as long as it is polled.
pub(crate) async fn keep_room(room: Arc<Room>, id: RoomId, db_name: String) {
    struct Keeper {
        room: Arc<Room>,
        // After the room has been told.
        _lock: locks::LockGuard,
    }
    impl Drop for Keeper {
        fn drop(&mut self) {
            self.room.with(|engine, _| engine.set_keeper(false));
        }
    }
    if let Some(lock) = locks::request(&name_of("peersync/keeper", &db_name, id), false).await {
        let _keeper = Keeper { room: Arc::clone(&room), _lock: lock };
        room.with(|engine, _| engine.set_keeper(true));
        pending::<()>().await;
    }
}

/// Keeps the sessions of `room` with the other tabs, for as long as it is polled. Dropping it ends them.
pub(crate) async fn link_room(room: Arc<Room>, id: RoomId, node: PeerId, db_name: String) {
    let Ok(tab) = random_tab() else { return };
    let Some(bus) = TabBus::join(name_of("peersync/1", &db_name, id), tab, node.to_bytes()).await else { return };
    let mut links = FuturesUnordered::new();
    // The other ends of `links`.
    let mut linked: Vec<TabId> = Vec::new();
    // Tabs whose session ended: not at once again.
    let mut resting: BTreeSet<TabId> = BTreeSet::new();
    let mut rested = Fuse::<Delay>::terminated();
    loop {
        for tab in wanted(&bus, &linked, &resting) {
            linked.push(tab);
            links.push(link(&room, &bus, tab, None));
        }
        select_biased! {
            event = Box::pin(bus.next_event()).fuse() => match event {
                TabEvent::Changed | TabEvent::Asked => {}
                // A second one from the same tab takes the place of a first whose end has not been heard.
                TabEvent::Offered(offer) if linked.len() < 2 * MAX_TABS => {
                    linked.push(offer.tab());
                    links.push(link(&room, &bus, offer.tab(), Some(offer)));
                }
                TabEvent::Offered(_) => {}
            },
            tab = links.select_next_some() => {
                if let Some(at) = linked.iter().position(|other| *other == tab) {
                    linked.swap_remove(at);
                }
                resting.insert(tab);
                rested = Delay::new(Duration::from_millis(TAB_RETRY_MS)).fuse();
            }
            () = rested => resting.clear(),
        }
    }
}

/// Whom to open sessions to: of a pair the tab with the smaller id does, if it is one of the smallest. So few tabs all
/// meet, and many do through three.
fn wanted(bus: &TabBus, linked: &[TabId], resting: &BTreeSet<TabId>) -> Vec<TabId> {
    let tabs = bus.tabs();
    let smaller = tabs.iter().filter(|other| other.tab < bus.tab()).count();
    if smaller >= TAB_CORE {
        return Vec::new();
    }
    let wanted = tabs.into_iter().map(|other| other.tab);
    wanted.filter(|tab| *tab > bus.tab() && !linked.contains(tab) && !resting.contains(tab)).collect()
}

/// One session, from its beginning to its end; answers with whom.
async fn link(room: &Arc<Room>, bus: &TabBus, tab: TabId, offer: Option<Offer>) -> TabId {
    let opener = offer.is_none();
    let pipe = match offer {
        Some(offer) => Some(offer.take()),
        None => {
            let patience = Delay::new(Duration::from_millis(TAB_ANSWER_MS));
            match select(Box::pin(bus.open(tab)), patience).await {
                Either::Left((pipe, _)) => pipe,
                Either::Right(_) => None,
            }
        }
    };
    // The same origin, and believed; the hello's binding must fit it.
    let known = bus.tabs().into_iter().find(|other| other.tab == tab);
    let node = known.map(|other| other.info).filter(|node| (1..=MAX_NODE_ID_BYTES).contains(&node.len()));
    if let Some((pipe, node)) = pipe.zip(node) {
        let neighbour = Neighbour { node: NodeId(node), pinned: false, kin: true, opener };
        room.serve_neighbour(neighbour, pipe, None).await;
    }
    tab
}

/// Whether a server carries tunnels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carried {
    /// It did, or would have.
    Yes,
    /// It does not know of them.
    Unknown,
}

/// Carries another tab's connection to `backend`, until either end ends. Dropping it ends the tunnel.
pub(crate) async fn carry(mut control: Control, backend: PeerId, offer: Offer) -> Carried {
    let patience = Delay::new(Duration::from_millis(TAB_ANSWER_MS));
    let stream = match select(Box::pin(open_tunnel(&mut control, backend)), patience).await {
        Either::Left((Ok(stream), _)) => stream,
        Either::Left((Err(OpenStreamError::UnsupportedProtocol(_)), _)) => return Carried::Unknown,
        Either::Left((Err(error), _)) => {
            note!(%error, "a tunnel was refused");
            return Carried::Yes;
        }
        Either::Right(_) => return Carried::Yes,
    };
    let (up, down) = (stream.split(), offer.take().split());
    let (there, back) = (pump(down.0, up.1).fuse(), pump(up.0, down.1).fuse());
    pin_mut!(there, back);
    select_biased! { () = there => {}, () = back => {} }
    Carried::Yes
}

/// Tries. A server that takes many streams at one moment may lose one.
const ATTEMPTS: u32 = 3;

async fn open_tunnel(control: &mut Control, backend: PeerId) -> Result<Stream, OpenStreamError> {
    let mut attempt = 1;
    loop {
        let mut stream = control.open_stream(backend, UPLINK_PROTOCOL).await?;
        let mut taken = [0];
        match stream.read_exact(&mut taken).await {
            Ok(()) if taken == [TUNNEL_TAKEN] => return Ok(stream),
            Ok(()) => return Err(OpenStreamError::Io(std::io::ErrorKind::InvalidData.into())),
            Err(error) if attempt == ATTEMPTS => return Err(OpenStreamError::Io(error)),
            Err(_) => attempt += 1,
        }
    }
}

/// Moves bytes until there are no more, or nobody takes them.
async fn pump(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) {
    let mut buffer = vec![0; TUNNEL_BUFFER_BYTES];
    while let Ok(len @ 1..) = from.read(&mut buffer).await {
        let Some(bytes) = buffer.get(..len) else { break };
        if to.write_all(bytes).await.is_err() || to.flush().await.is_err() {
            return;
        }
    }
    let _ = to.close().await;
}
