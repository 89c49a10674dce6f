//! Each benchmark of the program, as small as it can be: that it measures something, and not how much.

use std::process::{Command, Stdio};

/// Plays a benchmark; what it has measured, as JSON.
fn measured(line: &str) -> serde_json::Value {
    let output = Command::new(env!("CARGO_BIN_EXE_wvgate"))
        .arg("bench")
        .args(line.split_whitespace())
        .args(["--format", "json"])
        .env_remove("WVGATE_CONFIG")
        .env_remove("WVGATE_SOCKET")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{line}: {errors}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn messages_go_through_a_relay_that_is_measured() {
    let told = measured("relay --messages 40 --warm-up 4 --window 4");
    assert!(
        told["messages_per_second"].as_f64().unwrap() > 0.0,
        "{told}"
    );
}

#[test]
fn one_message_at_a_time_goes_through_a_relay_and_a_proxy_with_tls() {
    let line = "relay --messages 20 --warm-up 4 --window 1 --tls";
    // Of what is measured beside it, what is installed.
    let has_nginx = Command::new("nginx").arg("-v").output().is_ok();
    let beside = if has_nginx { " --beside nginx" } else { "" };
    let told = measured(&format!("{line}{beside}"));
    assert!(told["disk_p50_ms"].as_f64().unwrap() > 0.0, "{told}");
    if has_nginx {
        let nginx = &told["beside"][0];
        assert_eq!(nginx["name"], "nginx", "{told}");
        assert!(nginx["p50_ms"].as_f64().unwrap() > 0.0, "{told}");
        assert!(nginx["p50_over_this"].as_f64().unwrap() > 0.0, "{told}");
    }
}

#[test]
fn relays_with_few_and_many_peers_are_measured() {
    let told = measured("peers --configured 2,4 --sessions 2 --messages 40").to_string();
    assert!(told.contains("\"configured\":4"), "{told}");
}

#[test]
fn a_start_with_much_in_the_store_is_measured() {
    let told = measured("restart --messages 200 --peers 2 --starts 1");
    assert_eq!(told["records"], 400, "{told}");
}

#[test]
fn the_core_alone_is_measured_in_one_shard_and_in_two() {
    let told = measured("core --messages 64 --batch 4 --rounds 1");
    let runs = told["runs"].as_array().unwrap();
    let handed: Vec<_> = runs.iter().map(|run| &run["is_handed"]).collect();
    assert_eq!(handed, [false, true], "{told}");
    for run in runs {
        assert!(run["two_over_one"].as_f64().unwrap() > 0.0, "{told}");
    }
}

#[test]
fn the_memory_of_what_does_nothing_is_measured() {
    let told = measured("idle --configured 4 --sessions 2 --phones 2 --rest 0");
    assert!(told["start_kib"].as_u64().unwrap() > 0, "{told}");
    for figure in ["configured_peer", "session_plain", "session_tls", "phone"] {
        let figure = format!("kib_per_{figure}");
        assert!(told[&figure].as_f64().unwrap() >= 0.0, "{figure} in {told}");
    }
}

#[test]
fn phones_log_in_and_write_to_each_other_woken_and_polling() {
    let told = measured("clients --phones 8 --pairs 2 --messages 16");
    let ways = told["sent"].as_array().unwrap();
    let ways: Vec<_> = ways
        .iter()
        .map(|one| (&one["encoding"], &one["way"]))
        .collect();
    let expected = ["XML", "WBXML"].map(|encoding| ["woken", "polling"].map(|way| (encoding, way)));
    assert_eq!(ways.len(), 4, "{told}");
    for ((encoding, way), (known, kind)) in ways.iter().zip(expected.concat()) {
        assert_eq!((encoding.as_str(), way.as_str()), (Some(known), Some(kind)));
    }
}

#[test]
fn what_goes_through_a_gateway_is_measured_in_both_directions() {
    let told = measured(
        "gateway --server prosody --messages 40 --window 8 --watchers 4 --changes 1 --subscriptions 8 \
         --occupants 4 --room-messages 2",
    );
    let row = &told[0];
    assert_eq!(row["server"], "prosody", "{told}");
    for way in ["own", "ssp_to_xmpp", "xmpp_to_ssp", "presence", "room"] {
        assert!(
            row[way]["per_second"].as_f64().unwrap() > 0.0,
            "{way} in {told}"
        );
    }
}
