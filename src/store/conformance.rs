//! What every engine must do: one suite, run over each of them by [`suite`].

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;

use proptest::prelude::*;

use super::{Store, Watch, WatchError, Write, load_all, watch::WATCH_CAPACITY};

/// A store to be tried, and whatever must live as long as it does.
pub(super) struct Subject {
    store: Arc<dyn Store>,
    // Dropped after the store: its directory.
    _keep: Box<dyn std::any::Any>,
}

impl Subject {
    pub(super) fn new(store: impl Store) -> Self {
        Self::keeping(store, ())
    }

    pub(super) fn keeping(store: impl Store, keep: impl std::any::Any) -> Self {
        Self {
            store: Arc::new(store),
            _keep: Box::new(keep),
        }
    }
}

impl Deref for Subject {
    type Target = dyn Store;

    fn deref(&self) -> &Self::Target {
        &*self.store
    }
}

/// Makes a test of every case; `$subject` is evaluated anew for each.
macro_rules! suite {
    ($subject:expr) => {
        $crate::store::conformance::suite!(@cases $subject;
            a_batch_is_applied_whole_and_in_order,
            an_empty_batch_resolves,
            keys_and_values_may_be_anything,
            batches_are_applied_in_the_order_of_the_calls,
            a_commit_goes_on_when_its_future_is_dropped,
            compare_and_set_compares,
            of_concurrent_compare_and_sets_one_wins,
            scan_pages_through_a_prefix_in_order,
            scan_keeps_to_its_prefix,
            scan_pages_are_bounded_in_bytes,
            load_all_sees_more_than_a_page,
            load_all_stops_at_an_error,
            watchers_see_the_writes_under_their_prefix_in_order,
            a_slow_watcher_learns_that_it_lagged,
            watchers_learn_of_the_end,
            health_and_stats_start_well,
        );

        #[test]
        fn agrees_with_a_map() {
            $crate::store::conformance::agrees_with_a_map(|| $subject);
        }
    };
    (@cases $subject:expr; $($case:ident,)*) => {
        $(
            #[tokio::test]
            async fn $case() {
                $crate::store::conformance::$case($subject).await;
            }
        )*
    };
}
pub(super) use suite;

fn keys(page: &[(String, Vec<u8>)]) -> Vec<&str> {
    page.iter().map(|(key, _)| key.as_str()).collect()
}

pub(super) async fn a_batch_is_applied_whole_and_in_order(store: Subject) {
    store
        .commit(vec![Write::put("a/1", "old"), Write::put("a/2", "two")])
        .await
        .unwrap();
    store
        .commit(vec![
            Write::put("a/1", "new"),
            Write::delete("a/2"),
            Write::put("a/3", "three"),
            Write::delete("a/3"),
            Write::delete("a/4"),
            Write::put("a/4", "four"),
        ])
        .await
        .unwrap();
    assert_eq!(store.get("a/1").await, Ok(Some(b"new".to_vec())));
    assert_eq!(store.get("a/2").await, Ok(None));
    assert_eq!(store.get("a/3").await, Ok(None));
    assert_eq!(store.get("a/4").await, Ok(Some(b"four".to_vec())));
}

pub(super) async fn an_empty_batch_resolves(store: Subject) {
    assert_eq!(store.commit(Vec::new()).await, Ok(()));
    assert_eq!(store.stats().records, 0);
}

pub(super) async fn keys_and_values_may_be_anything(store: Subject) {
    let odd_keys = [
        "",
        "%_'\"",
        "nul\0nul",
        "nul\0",
        "söme/ключ/🦀",
        "\u{10ffff}x",
    ];
    for key in odd_keys {
        let value = (0..=255).collect::<Vec<u8>>();
        store.commit(vec![Write::put(key, value)]).await.unwrap();
    }
    store.commit(vec![Write::put("empty", "")]).await.unwrap();
    assert_eq!(store.get("empty").await, Ok(Some(Vec::new())));
    let mut expected = odd_keys.to_vec();
    expected.push("empty");
    expected.sort_unstable();
    let page = store.scan("", None, 100).await.unwrap();
    assert_eq!(keys(&page), expected);
    for key in odd_keys {
        assert_eq!(store.get(key).await.unwrap().unwrap().len(), 256, "{key:?}");
    }
    let large = vec![7; 3 << 20];
    store
        .commit(vec![Write::put("large", large.clone())])
        .await
        .unwrap();
    assert_eq!(store.get("large").await, Ok(Some(large)));
}

pub(super) async fn batches_are_applied_in_the_order_of_the_calls(store: Subject) {
    let commits: Vec<_> = (0..500_u32)
        .map(|n| store.commit(vec![Write::put("a/same", n.to_string())]))
        .collect();
    // Awaited from the back: the order of awaiting must not matter.
    for commit in commits.into_iter().rev() {
        commit.await.unwrap();
    }
    assert_eq!(store.get("a/same").await, Ok(Some(b"499".to_vec())));
}

pub(super) async fn a_commit_goes_on_when_its_future_is_dropped(store: Subject) {
    drop(store.commit(vec![Write::put("a/1", "x")]));
    store.commit(Vec::new()).await.unwrap();
    assert_eq!(store.get("a/1").await, Ok(Some(b"x".to_vec())));
}

pub(super) async fn compare_and_set_compares(store: Subject) {
    let some = |text: &str| Some(text.as_bytes().to_vec());
    for (expected, new, verdict, then) in [
        (some("x"), some("y"), false, None),
        (None, some("x"), true, some("x")),
        (None, some("y"), false, some("x")),
        (some("y"), None, false, some("x")),
        (some("x"), some("y"), true, some("y")),
        (some("y"), None, true, None),
        (None, None, true, None),
    ] {
        let answer = store.compare_and_set("a/1", expected, new).await;
        assert_eq!(answer, Ok(verdict));
        assert_eq!(store.get("a/1").await, Ok(then));
    }
}

pub(super) async fn of_concurrent_compare_and_sets_one_wins(store: Subject) {
    let attempts: Vec<_> = (0..50_u8)
        .map(|n| store.compare_and_set("lease", None, Some(vec![n])))
        .collect();
    let mut winners = Vec::new();
    for (n, attempt) in (0..50_u8).zip(attempts) {
        if attempt.await.unwrap() {
            winners.push(n);
        }
    }
    assert_eq!(winners, [0]);
    assert_eq!(store.get("lease").await, Ok(Some(vec![0])));
}

pub(super) async fn scan_pages_through_a_prefix_in_order(store: Subject) {
    let batch = (0..25).rev().map(|n| Write::put(format!("a/{n:02}"), "x"));
    store.commit(batch.collect()).await.unwrap();
    let mut found = Vec::new();
    let mut sizes = Vec::new();
    loop {
        let after = found.last().map(String::as_str);
        let page = store.scan("a/", after, 10).await.unwrap();
        sizes.push(page.len());
        found.extend(page.into_iter().map(|(key, _)| key));
        if sizes.last() == Some(&0) {
            break;
        }
    }
    assert_eq!(sizes, [10, 10, 5, 0]);
    let expected: Vec<_> = (0..25).map(|n| format!("a/{n:02}")).collect();
    assert_eq!(found, expected);
}

pub(super) async fn scan_keeps_to_its_prefix(store: Subject) {
    let all = ["a", "a/", "a/1", "a/1\0", "a/1/2", "a/2", "a0", "b/1"];
    let batch = all.iter().map(|key| Write::put(*key, *key)).collect();
    store.commit(batch).await.unwrap();
    for (prefix, after, limit, expected) in [
        ("a/", None, 100, &all[1..6]),
        ("a/", None, 0, &[]),
        ("a/", Some("a/"), 100, &all[2..6]),
        ("a/", Some("a/1"), 100, &all[3..6]),
        ("a/", Some("a/1"), 1, &all[3..4]),
        ("a/", Some("a"), 100, &all[1..6]),
        ("a/", Some("a/2"), 100, &[]),
        ("a/", Some("b"), 100, &[]),
        ("a/1", None, 100, &all[2..5]),
        ("c", None, 100, &[]),
        ("", None, 100, &all[..]),
        ("", Some("a0"), 100, &all[7..]),
    ] {
        let page = store.scan(prefix, after, limit).await.unwrap();
        assert_eq!(keys(&page), expected, "{prefix:?} after {after:?}");
        assert!(page.iter().all(|(key, value)| key.as_bytes() == value));
    }
}

pub(super) async fn scan_pages_are_bounded_in_bytes(store: Subject) {
    let value = vec![b'x'; 1 << 20];
    for n in 0..11 {
        let large = Write::put(format!("a/{n:02}"), value.clone());
        store.commit(vec![large]).await.unwrap();
    }
    store.commit(vec![Write::delete("a/03")]).await.unwrap();
    let page = store.scan("a/", None, 100).await.unwrap();
    assert_eq!(keys(&page), ["a/00", "a/01", "a/02", "a/04"]);
    // One that alone is larger has a page of its own.
    let huge = vec![b'x'; super::PAGE_BYTES + 1];
    store.commit(vec![Write::put("a/045", huge)]).await.unwrap();
    let page = store.scan("a/", Some("a/04"), 100).await.unwrap();
    assert_eq!(keys(&page), ["a/045"]);
    assert_eq!(load_all(&*store, "a/", |_, _| Ok(())).await, Ok(11));
}

pub(super) async fn load_all_sees_more_than_a_page(store: Subject) {
    let count = super::PAGE_RECORDS + 1;
    let batch = (0..count).map(|n| Write::put(format!("a/{n:08}"), n.to_string()));
    store.commit(batch.collect()).await.unwrap();
    store.commit(vec![Write::put("b/1", "")]).await.unwrap();
    let mut next = 0;
    let found = load_all(&*store, "a/", |_, value| {
        assert_eq!(value, next.to_string().as_bytes());
        next += 1;
        Ok(())
    })
    .await;
    assert_eq!(found, Ok(count as u64));
    assert_eq!(next, count);
    assert_eq!(load_all(&*store, "c/", |_, _| Ok(())).await, Ok(0));
}

pub(super) async fn load_all_stops_at_an_error(store: Subject) {
    store
        .commit(vec![Write::put("a/1", ""), Write::put("a/2", "")])
        .await
        .unwrap();
    let mut seen = 0;
    let outcome = load_all(&*store, "a/", |key, _| {
        seen += 1;
        Err(super::StoreError::Corrupt(key))
    })
    .await;
    let expected = super::StoreError::Corrupt("a/1".to_owned());
    assert_eq!((seen, outcome), (1, Err(expected)));
}

pub(super) async fn watchers_see_the_writes_under_their_prefix_in_order(store: Subject) {
    store.commit(vec![Write::put("a/0", "")]).await.unwrap();
    let mut watch = store.watch("a/");
    let mut all = store.watch("");
    assert_eq!(watch.try_recv(), Ok(None));
    let writes = [
        Write::put("a/1", "x"),
        Write::put("b/1", "x"),
        Write::delete("a/0"),
        Write::put("a/2", "x"),
    ];
    store.commit(writes[..3].to_vec()).await.unwrap();
    // One that does not take place is not seen.
    let set = |expected| store.compare_and_set("a/2", expected, Some(b"x".to_vec()));
    assert_eq!(set(Some(vec![])).await, Ok(false));
    assert_eq!(set(None).await, Ok(true));
    for write in &writes {
        assert_eq!(all.recv().await.as_ref(), Ok(write));
        if write.key().starts_with("a/") {
            assert_eq!(watch.recv().await.as_ref(), Ok(write));
        }
    }
    assert_eq!(watch.try_recv(), Ok(None));
    assert_eq!(all.try_recv(), Ok(None));
}

pub(super) async fn a_slow_watcher_learns_that_it_lagged(store: Subject) {
    let mut watch = store.watch("a/");
    let count = WATCH_CAPACITY + 10;
    let batch = (0..count).map(|n| Write::put(format!("a/{n}"), ""));
    store.commit(batch.collect()).await.unwrap();
    assert_eq!(watch.recv().await, Err(WatchError::Lagged(10)));
    for n in 10..count {
        assert_eq!(watch.recv().await, Ok(Write::put(format!("a/{n}"), "")));
    }
    assert_eq!(watch.try_recv(), Ok(None));
}

pub(super) async fn watchers_learn_of_the_end(store: Subject) {
    let mut watch: Watch = store.watch("a/");
    store.commit(vec![Write::delete("a/1")]).await.unwrap();
    drop(store);
    assert_eq!(watch.recv().await, Ok(Write::delete("a/1")));
    assert_eq!(watch.recv().await, Err(WatchError::Closed));
    assert_eq!(watch.try_recv(), Err(WatchError::Closed));
}

pub(super) async fn health_and_stats_start_well(store: Subject) {
    assert_eq!(store.health(), Ok(()));
    assert_eq!(store.stats(), super::Stats::default());
    store
        .commit(vec![Write::put("a/1", ""), Write::delete("a/2")])
        .await
        .unwrap();
    let set = store.compare_and_set("a/1", None, None);
    assert_eq!(set.await, Ok(false));
    let stats = store.stats();
    assert_eq!((stats.commits, stats.records, stats.failed), (2, 2, 0));
    assert_eq!(stats.transactions, 2);
    assert_eq!(store.health(), Ok(()));
}

/// One call on a store, for generated histories.
#[derive(Debug, Clone)]
enum Call {
    Commit(Vec<Write>),
    /// With the value that is there, if the flag is set, and with another one otherwise.
    Swap(String, bool, Option<Vec<u8>>),
    Scan(String, Option<String>, usize),
}

/// Few keys, so that calls meet; in several sections, so that prefixes matter.
fn a_key() -> impl Strategy<Value = String> {
    "[ab]/[0-4]|[ab]|a/é"
}

fn a_value() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..6)
}

fn a_write() -> impl Strategy<Value = Write> {
    prop_oneof![
        3 => (a_key(), a_value()).prop_map(|(key, value)| Write::put(key, value)),
        1 => a_key().prop_map(|key| Write::Delete { key }),
    ]
}

fn a_call() -> impl Strategy<Value = Call> {
    prop_oneof![
        4 => prop::collection::vec(a_write(), 0..8).prop_map(Call::Commit),
        2 => (a_key(), any::<bool>(), prop::option::of(a_value()))
            .prop_map(|(key, matching, new)| Call::Swap(key, matching, new)),
        2 => ("[ab]?/?", prop::option::of(a_key()), 0_usize..8)
            .prop_map(|(prefix, after, limit)| Call::Scan(prefix, after, limit)),
    ]
}

/// Random histories have the outcome that a map gives them.
pub(super) fn agrees_with_a_map(subject: impl Fn() -> Subject) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let config = ProptestConfig {
        cases: 32,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    proptest!(config, |(calls in prop::collection::vec(a_call(), 1..40))| {
        runtime.block_on(replay(&subject(), calls))?;
    });
}

async fn replay(store: &Subject, calls: Vec<Call>) -> Result<(), TestCaseError> {
    let mut model: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for call in calls {
        match call {
            Call::Commit(mut batch) => {
                for write in &mut batch {
                    if let Write::Put { key, new, .. } = write {
                        *new = !model.contains_key(key);
                    }
                    write.clone().apply(&mut model);
                }
                prop_assert_eq!(store.commit(batch).await, Ok(()));
            }
            Call::Swap(key, matching, new) => {
                let expected = match model.get(&key) {
                    found if matching => found.cloned(),
                    Some(_) => None,
                    None => Some(Vec::new()),
                };
                let answer = store.compare_and_set(&key, expected, new.clone()).await;
                prop_assert_eq!(answer, Ok(matching));
                match new {
                    Some(value) if matching => model.insert(key, value),
                    None if matching => model.remove(&key),
                    _ => None,
                };
            }
            Call::Scan(prefix, after, limit) => {
                let expected: Vec<_> = model
                    .iter()
                    .filter(|(key, _)| key.starts_with(&prefix) && Some(*key) > after.as_ref())
                    .take(limit)
                    .map(|(key, value)| (key.clone(), value.clone()))
                    .collect();
                let page = store.scan(&prefix, after.as_deref(), limit).await;
                prop_assert_eq!(page, Ok(expected));
            }
        }
    }
    let all = store.scan("", None, usize::MAX).await;
    prop_assert_eq!(all, Ok(model.into_iter().collect::<Vec<_>>()));
    Ok(())
}
