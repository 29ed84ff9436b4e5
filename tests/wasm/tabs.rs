//! Several buses in one page: channels deliver between two objects of one page as between two pages, and locks do not
//! care whose they are.

use futures::{AsyncReadExt, AsyncWriteExt, FutureExt};
use peersync::{
    base::limits::{MAX_TABS, TAB_WINDOW_BYTES},
    transport::tabs::{TabBus, TabEvent, TabId, TabPipe, Uplink, UplinkConfig, UplinkDriver, UplinkEvent, locks},
};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::support::{is_pending, settle, soon};

fn bus(name: &str, tab: u64) -> impl Future<Output = TabBus> {
    let joining = TabBus::join(format!("test/{name}"), TabId::new(tab), vec![tab as u8]);
    async move { soon("joining", joining).await.unwrap() }
}

/// Waits until `bus` knows exactly `tabs`.
async fn knows(bus: &TabBus, tabs: &[u64]) {
    let wanted: Vec<TabId> = tabs.iter().map(|tab| TabId::new(*tab)).collect();
    soon("meeting", async {
        while bus.tabs().iter().map(|tab| tab.tab).collect::<Vec<_>>() != wanted {
            bus.next_event().await;
        }
    })
    .await;
}

async fn offered(bus: &TabBus) -> TabPipe {
    soon("an offer", async {
        loop {
            if let TabEvent::Offered(offer) = bus.next_event().await {
                return offer.take();
            }
        }
    })
    .await
}

/// Two ends of a pipe, and what keeps them.
async fn pair(name: &str) -> (TabBus, TabBus, TabPipe, TabPipe) {
    let (one, two) = (bus(name, 1).await, bus(name, 2).await);
    knows(&one, &[2]).await;
    knows(&two, &[1]).await;
    let (near, far) = futures::future::join(one.open(TabId::new(2)), offered(&two)).await;
    (one, two, near.unwrap(), far)
}

#[wasm_bindgen_test]
async fn b1_a_lock_has_one_holder_and_goes_to_the_next_when_that_is_gone() {
    let held = soon("the lock", locks::request("test/lock", true)).await.unwrap();
    assert!(soon("an answer", locks::request("test/lock", true)).await.is_none());
    let withdrawn = locks::request("test/lock", false);
    let mut next = locks::request("test/lock", false);
    let mut freed = locks::freed("test/lock");
    settle().await;
    assert!((&mut next).now_or_never().is_none() && (&mut freed).now_or_never().is_none());
    drop(withdrawn);
    drop(held);
    let held = soon("the next one's turn", next).await.unwrap();
    assert!((&mut freed).now_or_never().is_none());
    drop(held);
    soon("the end of all", freed).await.unwrap();
}

#[wasm_bindgen_test]
async fn b2_tabs_meet_and_hear_what_each_says_of_itself() {
    let (one, two, three) = (bus("meet", 1).await, bus("meet", 2).await, bus("meet", 3).await);
    let _elsewhere = bus("elsewhere", 9).await;
    knows(&one, &[2, 3]).await;
    knows(&two, &[1, 3]).await;
    knows(&three, &[1, 2]).await;
    assert_eq!(one.tabs()[0].info, [2]);
    two.announce(vec![7, 7]);
    soon("the news", async {
        while one.tabs()[0].info != [7, 7] {
            one.next_event().await;
        }
    })
    .await;
    let heard = one.tabs()[1].heard;
    one.ask(TabId::new(3));
    soon("the answer", async {
        while one.tabs()[1].heard == heard {
            one.next_event().await;
        }
    })
    .await;
}

#[wasm_bindgen_test]
async fn b3_the_end_of_a_tab_is_noticed_at_once_and_ends_its_pipes() {
    let (one, two, mut near, far) = pair("death").await;
    // The other bus goes first, as with a page: its pipes say nothing any more.
    std::mem::forget(far);
    drop(two);
    knows(&one, &[]).await;
    let mut buffer = [0];
    assert!(soon("the end", near.read(&mut buffer)).await.is_err());
    assert!(near.write(&buffer).await.is_err());
    assert!(soon("a refusal", one.open(TabId::new(2))).await.is_none());
}

#[wasm_bindgen_test]
async fn b2_so_many_tabs_are_noticed_and_the_rest_do_without() {
    let first = bus("many", 1).await;
    let mut others = Vec::new();
    for tab in 0..=MAX_TABS {
        others.push(bus("many", 100 + tab as u64).await);
    }
    soon("as many as there may be", async {
        while first.tabs().len() < MAX_TABS {
            first.next_event().await;
        }
    })
    .await;
    settle().await;
    assert_eq!(first.tabs().len(), MAX_TABS);
}

#[wasm_bindgen_test]
async fn b4_bytes_pass_in_order_both_ways_and_an_end_is_heard() {
    let (_one, _two, near, far) = pair("bytes").await;
    let sent: Vec<u8> = (0..3_000_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let (mut far_reader, mut far_writer) = far.split();
    let (mut near_reader, mut near_writer) = near.split();
    let echo = async {
        let mut buffer = vec![0; 10_000];
        while let Ok(len @ 1..) = far_reader.read(&mut buffer).await {
            far_writer.write_all(&buffer[..len]).await.unwrap();
        }
        far_writer.close().await.unwrap();
    };
    let mut received = vec![0; sent.len()];
    let there_and_back = async {
        let (write, read) = (near_writer.write_all(&sent), near_reader.read_exact(&mut received));
        let (written, read) = futures::future::join(write, read).await;
        written.and(read).unwrap();
        near_writer.close().await.unwrap();
    };
    soon("the echo", futures::future::join(there_and_back, echo)).await;
    assert!(received == sent);
}

#[wasm_bindgen_test]
async fn b4_what_nobody_reads_is_bounded_by_credits() {
    let (_one, _two, mut near, mut far) = pair("credits").await;
    let chunk = vec![7; 10_000];
    let mut written = 0;
    while let Some(len) = near.write(&chunk).now_or_never() {
        written += len.unwrap();
        assert!(written <= TAB_WINDOW_BYTES);
        settle().await;
    }
    assert!(written > TAB_WINDOW_BYTES / 2, "{written}");
    assert!(is_pending(near.write(&chunk)));
    // Room comes back with what is read, without a timer.
    let mut received = vec![0; written];
    soon("reading", far.read_exact(&mut received)).await.unwrap();
    assert!(received.iter().all(|byte| *byte == 7));
    soon("room", near.write(&chunk)).await.unwrap();
}

#[wasm_bindgen_test]
async fn b4_a_refused_offer_is_told() {
    let (one, two) = (bus("refuse", 1).await, bus("refuse", 2).await);
    knows(&one, &[2]).await;
    knows(&two, &[1]).await;
    let refuse = async {
        loop {
            if let TabEvent::Offered(offer) = two.next_event().await {
                return drop(offer);
            }
        }
    };
    let (opened, ()) = soon("the refusal", futures::future::join(one.open(TabId::new(2)), refuse)).await;
    assert!(opened.is_none());
}

fn uplink() -> Uplink {
    let uplink = Uplink::new(UplinkConfig { db_name: "test".to_owned(), address: "ws://nowhere.invalid/".to_owned() });
    uplink.begin();
    uplink
}

#[wasm_bindgen_test]
async fn b5_one_tab_holds_the_uplink_and_the_next_gets_it_when_that_is_gone() {
    let (first, second) = (uplink(), uplink());
    let mut holder = soon("the first", UplinkDriver::start(&first, TabId::new(1))).await.unwrap();
    let mut follower = soon("the second", UplinkDriver::start(&second, TabId::new(2))).await.unwrap();
    first.set_connected(true);
    second.set_connected(true);
    assert!(!second.is_carrying());
    assert!(is_pending(holder.next()));
    drop(holder);
    assert!(matches!(soon("the handover", follower.next()).await, UplinkEvent::Moved));
    assert!(second.take_moved() && !second.take_moved());
}
