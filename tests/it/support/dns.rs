//! A DNS server that knows only bytes.

use std::net::{SocketAddr, UdpSocket};

/// A service record: priority, port, labels of the target.
pub(crate) type Record = (u16, u16, &'static [&'static str]);

/// Answers every query with this response code and these SRV records, as long as the test runs.
pub(crate) fn dns(code: u8, records: &[Record]) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let records = records.to_vec();
    std::thread::spawn(move || {
        let mut query = [0u8; 1500];
        while let Ok((_, from)) = socket.recv_from(&mut query) {
            let _ = socket.send_to(&answer(&query, code, &records), from);
        }
    });
    address
}

fn answer(query: &[u8], code: u8, records: &[Record]) -> Vec<u8> {
    let mut end = 12;
    while query[end] != 0 {
        end += usize::from(query[end]) + 1;
    }
    let mut answer = query[..2].to_vec();
    let count = u8::try_from(records.len()).unwrap();
    answer.extend([0x85, 0x80 | code, 0, 1, 0, count, 0, 0, 0, 0]);
    answer.extend(&query[12..end + 5]);
    for (priority, port, labels) in records {
        let mut target = Vec::new();
        for label in *labels {
            target.push(u8::try_from(label.len()).unwrap());
            target.extend(label.as_bytes());
        }
        target.push(0);
        answer.extend([0xc0, 12, 0, 33, 0, 1, 0, 0, 0, 60]);
        answer.extend(u16::try_from(target.len() + 6).unwrap().to_be_bytes());
        answer.extend(priority.to_be_bytes());
        answer.extend([0, 5]);
        answer.extend(port.to_be_bytes());
        answer.extend(target);
    }
    answer
}
