use super::*;
use crate::registry::said;
use std::os::unix::fs::PermissionsExt as _;

const WEEK: Duration = Duration::from_secs(7 * 86_400);

fn request(key: &KeyPair) -> String {
    CertificateParams::default().serialize_request(key).unwrap().pem().unwrap()
}

#[test]
fn stays_the_same_and_its_owners_alone() {
    let data = tempfile::tempdir().unwrap();
    let first = Authority::open(data.path()).unwrap().certificate().to_vec();
    assert_eq!(Authority::open(data.path()).unwrap().certificate(), first);
    for file in [KEY, CERTIFICATE] {
        let mode = std::fs::metadata(data.path().join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
}

#[test]
fn what_is_damaged_or_lost_is_told_and_never_made_anew() {
    let data = tempfile::tempdir().unwrap();
    Authority::open(data.path()).unwrap();
    let kept = std::fs::read_to_string(data.path().join(KEY)).unwrap();
    let other = tempfile::tempdir().unwrap();
    Authority::open(other.path()).unwrap();
    for (file, content, told) in [
        (KEY, Some("garbage".to_owned()), "is no private key"),
        (KEY, Some(std::fs::read_to_string(other.path().join(KEY)).unwrap()), "is not of the key beside it"),
        (KEY, None, "is missing"),
        (CERTIFICATE, Some("-----BEGIN CERTIFICATE-----\n".into()), "is no certificate"),
        (CERTIFICATE, Some(String::new()), "is no certificate"),
    ] {
        let path = data.path().join(file);
        let before = std::fs::read(&path).unwrap();
        match content {
            Some(content) => std::fs::write(&path, content).unwrap(),
            None => std::fs::remove_file(&path).unwrap(),
        }
        let error = Authority::open(data.path()).err().unwrap().to_string();
        assert!(error.contains(told) && error.contains(file) | error.contains(CERTIFICATE), "{error}");
        assert!(!error.contains(&kept[40..60]), "{error}");
        std::fs::write(&path, before).unwrap();
    }
}

#[test]
fn a_lost_certificate_is_made_again_by_the_same_key() {
    let data = tempfile::tempdir().unwrap();
    let before = key_of(Authority::open(data.path()).unwrap().certificate());
    std::fs::remove_file(data.path().join(CERTIFICATE)).unwrap();
    assert_eq!(key_of(Authority::open(data.path()).unwrap().certificate()), before);
}

#[test]
fn an_agents_certificate_says_what_we_say_of_it() {
    let data = tempfile::tempdir().unwrap();
    let authority = Authority::open(data.path()).unwrap();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["collector.haidang.internal".to_owned()]).unwrap();
    params.is_ca = IsCa::NoCa;
    let asked = params.serialize_request(&key).unwrap().pem().unwrap();
    let request = Request::read(&asked).unwrap();
    let print = request.key;
    let now = 1_800_000_000_000;
    let pem = authority.sign(request, "spiffe://82/site/a/agent", now, WEEK).unwrap();
    let der = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
    let ends = now / 1000 + WEEK.as_secs() as i64;
    assert_eq!(said(&der), Some((print, "spiffe://82/site/a/agent".into(), ends)));
}

#[test]
fn a_request_is_one_of_an_agents_key_signed_by_it() {
    let key = KeyPair::generate().unwrap();
    let good = request(&key);
    assert!(Request::read(&good).is_ok());
    let other = request(&KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap());
    assert_eq!(Request::read(&other).err(), Some(NotARequest::Key));
    let lines: Vec<&str> = good.lines().collect();
    let cut = good.replace(lines[2], "");
    for garbage in [
        "",
        "garbage",
        &cut,
        "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n",
    ] {
        assert_eq!(Request::read(garbage).err(), Some(NotARequest::Garbled), "{garbage}");
    }
}
