//! Devices that mean harm, or are broken: each answer is written here octet by octet (RFC 3416, BER).

use super::*;
use tokio::net::UdpSocket;

/// BER: tag, length, content.
fn ber(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match content.len() {
        short @ 0..128 => out.push(short as u8),
        long => out.extend([0x82, (long >> 8) as u8, long as u8]),
    }
    out.extend_from_slice(content);
    out
}

fn oid(arcs: &[u32]) -> Vec<u8> {
    let mut out = vec![(arcs[0] * 40 + arcs[1]) as u8];
    for &arc in &arcs[2..] {
        let groups = (1..5).rev().filter(|n| arc >> (7 * n) != 0).map(|n| (arc >> (7 * n)) as u8 | 0x80);
        out.extend(groups.chain([arc as u8 & 0x7f]));
    }
    ber(6, &out)
}

/// What stands first in `octets`: tag and content, and what is behind it.
fn open(octets: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = octets.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0x81 => (usize::from(*rest.first()?), rest.get(1..)?),
        0x82 => ((usize::from(*rest.first()?) << 8) | usize::from(*rest.get(1)?), rest.get(2..)?),
        short => (usize::from(short), rest),
    };
    Some((tag, rest.get(..length)?, rest.get(length..)?))
}

/// The request's id, and the OIDs it names.
fn request(datagram: &[u8]) -> Option<(Vec<u8>, Vec<Vec<u8>>)> {
    let (_, message, _) = open(datagram)?;
    let (_, _, rest) = open(message)?;
    let (_, _, rest) = open(rest)?;
    let (_, pdu, _) = open(rest)?;
    let (_, id, rest) = open(pdu)?;
    let (_, _, rest) = open(rest)?;
    let (_, _, rest) = open(rest)?;
    let (_, mut bindings, _) = open(rest)?;
    let mut oids = Vec::new();
    while !bindings.is_empty() {
        let (_, binding, rest) = open(bindings)?;
        let (_, _, value) = open(binding)?;
        oids.push(binding[..binding.len() - value.len()].to_vec());
        bindings = rest;
    }
    Some((id.to_vec(), oids))
}

fn response(id: &[u8], bindings: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let bound: Vec<u8> =
        bindings.iter().flat_map(|(name, value)| ber(0x30, &[name.as_slice(), value].concat())).collect();
    let pdu = [ber(2, id), ber(2, &[0]), ber(2, &[0]), ber(0x30, &bound)].concat();
    ber(0x30, &[ber(2, &[1]), ber(4, b"public"), ber(0xa2, &pdu)].concat())
}

/// A device that greets as it should, and answers everything else by `worse`.
async fn device(worse: impl Fn(&[u8], &[Vec<u8>], u32) -> Vec<u8> + Send + 'static) -> String {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let target = socket.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        let (mut buffer, mut count) = ([0; 2048], 0);
        while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
            let Some((id, oids)) = request(&buffer[..length]) else { continue };
            let up_time = oid(&[1, 3, 6, 1, 2, 1, 1, 3, 0]);
            let answer = if oids.first() == Some(&up_time) {
                let object = oid(&[1, 3, 6, 1, 4, 1, 99]);
                response(&id, &[(up_time, ber(0x43, &[1])), (oids[1].clone(), object)])
            } else {
                count += 1;
                worse(&id, &oids, count)
            };
            let _ = socket.send_to(&answer, from).await;
        }
    });
    target
}

fn absent(id: &[u8], oids: &[Vec<u8>]) -> Vec<u8> {
    let bindings: Vec<_> = oids.iter().map(|name| (name.clone(), ber(0x80, &[]))).collect();
    response(id, &bindings)
}

/// Whether a request is of `ifXTable`.
fn is_walk(oids: &[Vec<u8>]) -> bool {
    oids.iter().any(|name| name.windows(4).any(|arcs| arcs == [31, 1, 1, 1]))
}

const IF_NAME: [u32; 11] = [1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 1];

fn if_name(index: u32) -> Vec<u8> {
    oid(&IF_NAME.into_iter().chain([index]).collect::<Vec<_>>())
}

#[tokio::test]
async fn oids_that_do_not_increase_end_the_run() {
    let target = device(|id, oids, _| {
        if is_walk(oids) {
            response(id, &vec![(if_name(7), ber(4, b"eth7")); oids.len() * 3])
        } else {
            absent(id, oids)
        }
    })
    .await;
    let answer = ask(&probe(), &target, &[("credential", "lan")], Duration::from_secs(2)).await;
    assert_eq!(answer.result, Err(Failure::SnmpOrder));
}

#[tokio::test]
async fn a_walk_without_end_ends_at_the_limit_and_keeps_what_it_read() {
    // Ever more rows of the first column: a switch of 2^31 interfaces.
    let target = device(|id, oids, count| {
        if !is_walk(oids) {
            return absent(id, oids);
        }
        let asked = oids.len() as u32;
        let rows = (0..asked * 3).map(|nth| match nth % asked {
            0 => (if_name(count * 100 + nth / asked), ber(4, format!("eth{count}.{nth}").as_bytes())),
            _ => (if_name(1), ber(0x82, &[])),
        });
        response(id, &rows.collect::<Vec<_>>())
    })
    .await;
    let answer = ask(&probe(), &target, &[("credential", "lan")], Duration::from_secs(8)).await;
    assert_eq!(answer.result, Err(Failure::SnmpLimit));
    assert!(value(&answer, Metric::SysUpTime, "").is_some());
}

#[tokio::test]
async fn answers_of_another_request_or_cut_short_are_no_answers() {
    let flipped = |id: &[u8]| id.iter().map(|octet| octet ^ 1).collect::<Vec<_>>();
    let other = device(move |id, oids, _| absent(&flipped(id), oids)).await;
    let cut = device(|id, oids, _| {
        let whole = absent(id, oids);
        whole[..whole.len() / 2].to_vec()
    })
    .await;
    for target in [other, cut] {
        let answer = ask(&probe(), &target, &[("credential", "lan")], Duration::from_secs(1)).await;
        assert!(matches!(answer.result, Err(Failure::Timeout | Failure::Protocol)), "{:?}", answer.result);
        assert!(value(&answer, Metric::SysUpTime, "").is_some(), "what was told before is kept");
    }
}
