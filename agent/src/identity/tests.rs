use super::*;
use rcgen::{BasicConstraints, IsCa, Issuer, KeyUsagePurpose, date_time_ymd};
use std::os::unix::fs::PermissionsExt as _;

/// 2027-01-01, seconds since 1970.
const NOW: i64 = 1_798_761_600;

/// An authority, its certificate, and one for the key in `directory` of `life_s` from NOW.
fn enrolled(directory: &Path, life_s: u64) -> CertificateDer<'static> {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let authority = params.self_signed(&key).unwrap().der().clone();
    let issuer = Issuer::new(params, key);
    let request = rcgen::CertificateSigningRequestParams::from_pem(&super::key(directory).unwrap());
    let mut asked = request.unwrap();
    let now = date_time_ymd(2027, 1, 1);
    asked.params.not_before = now - BACKDATED;
    asked.params.not_after = now + Duration::from_secs(life_s);
    let certificate = asked.signed_by(&issuer).unwrap().pem();
    Identity::keep(directory, &authority, &certificate).unwrap();
    authority
}

#[test]
fn a_device_that_never_enrolled_has_none_and_its_key_stays() {
    let dir = tempfile::tempdir().unwrap();
    assert!(Identity::read(dir.path()).unwrap().is_none());
    key(dir.path()).unwrap();
    let kept = std::fs::read(dir.path().join(KEY)).unwrap();
    key(dir.path()).unwrap();
    assert_eq!(std::fs::read(dir.path().join(KEY)).unwrap(), kept);
    let mode = std::fs::metadata(dir.path().join(KEY)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn is_renewed_at_a_third_of_its_life_and_at_once_without_a_clock() {
    let dir = tempfile::tempdir().unwrap();
    enrolled(dir.path(), 600);
    let identity = Identity::read(dir.path()).unwrap().unwrap();
    let seconds = Duration::from_secs;
    assert_eq!(identity.due(NOW), (seconds(600), seconds(200)));
    assert_eq!(identity.due(NOW + 150).1, seconds(50));
    assert_eq!(identity.due(NOW + 9_999).1, seconds(0));
    assert_eq!(identity.due(0).1, seconds(0), "1970");
    assert_eq!(identity.due(NOW - 86_400).1, seconds(200), "a clock set back puts it off no longer");
}

#[test]
fn what_is_damaged_is_told_by_its_file_and_not_repeated() {
    for (file, content) in
        [(KEY, "garbage"), (AUTHORITY, "garbage"), (AUTHORITY, ""), (CERTIFICATE, "garbage")]
    {
        let dir = tempfile::tempdir().unwrap();
        enrolled(dir.path(), 600);
        std::fs::write(dir.path().join(file), content).unwrap();
        let error = Identity::read(dir.path()).err().unwrap().to_string();
        assert!(error.contains(file) && !error.contains("garbage\n"), "{error}");
    }
    let dir = tempfile::tempdir().unwrap();
    enrolled(dir.path(), 600);
    let other = KeyPair::generate().unwrap();
    std::fs::write(dir.path().join(KEY), other.serialize_pem()).unwrap();
    let error = Identity::read(dir.path()).err().unwrap().to_string();
    assert!(error.contains("is not of the device's key"), "{error}");
}

#[test]
fn a_clock_before_the_release_is_the_day_of_the_release() {
    assert_eq!(released(UnixTime::since_unix_epoch(Duration::ZERO)).as_secs(), RELEASED);
    let later = UnixTime::since_unix_epoch(Duration::from_secs(NOW as u64));
    assert_eq!(released(later), later);
}
