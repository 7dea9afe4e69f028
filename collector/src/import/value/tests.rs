use super::*;

fn t(text: &str) -> Cell {
    Cell::Text(text.into())
}

#[test]
fn a_circuit_is_taken_as_it_stands_in_the_contract() {
    for (cell, circuit_id) in [
        (t("DTP-VNPT-000123"), "DTP-VNPT-000123"),
        (t("ĐTP/2025.01_7"), "ĐTP/2025.01_7"),
        (Cell::Number(1_234_567.0), "1234567"),
        (t("1E05"), "1E05"),
    ] {
        assert_eq!(circuit(&cell).as_deref(), Ok(circuit_id));
    }
    for (cell, said) in [
        (t("DTP VNPT 1"), "`DTP VNPT 1` holds a space; did you mean `DTPVNPT1`?"),
        (
            t("DTP–VNPT"),
            "`DTP–VNPT` holds a letter of another alphabet that only looks right; did you mean `DTP-VNPT`?",
        ),
        (t("ВТ１"), "`ВТ１` holds a letter of another alphabet that only looks right; did you mean `BT1`?"),
        (
            Cell::Number(1e5),
            "is the number 1E5: a spreadsheet took the circuit id for a number; format the cell as Text and write it again",
        ),
        (
            t("1,2E+11"),
            "`1,2E+11` is what a spreadsheet makes of a circuit id it took for a number; write the id itself",
        ),
        (
            Cell::Date("2025-12-05".into()),
            "is a date (`2025-12-05`), not text; format the cell as Text and write it again",
        ),
        (Cell::Error("#N/A".into()), "holds `#N/A`: its formula failed; write the value itself"),
    ] {
        assert_eq!(circuit(&cell).unwrap_err(), said);
    }
}

#[test]
fn an_address_is_one_a_gateway_can_have() {
    for good in ["10.82.1.2", "10.82.1.0/22", "10.82.1.255/22", "10.82.1.0/31", "203.113.7.9/30"] {
        assert!(wan(&t(good), false).is_ok(), "{good}");
    }
    for bad in [
        "10.82.1.300",
        "10.82.1",
        "10.82.01.2",
        "10.82.1.2:80",
        "fd00::1",
        "10.82.1.0",
        "10.82.1.255",
        "10.82.1.3/30",
        "10.82.1.4/30",
        "10.82.0.0/22",
        "0.1.2.3",
        "127.0.0.1",
        "169.254.1.1",
        "224.0.0.1",
        "255.255.255.255",
        "240.1.1.1",
        "10.82.1.2/7",
        "10.82.1.2/x",
    ] {
        let wrong = wan(&t(bad), false).unwrap_err();
        assert!(!wrong.contains(bad), "{wrong}");
    }
    assert!(wan(&t("127.82.1.1"), true).is_ok());
    assert_eq!(wan(&t("10.82.1.300"), false).unwrap_err(), "is no IPv4 address: a part is above 255");
    assert_eq!(
        wan(&t("10.082.1.3"), false).unwrap_err(),
        "is no IPv4 address: leave out the zeros in front of its parts"
    );
}

#[test]
fn a_rate_is_whole_and_in_its_unit() {
    for (cell, rate) in [
        (t("200"), 200),
        (t("200 Mbps"), 200),
        (t("1 Gb/s"), 1000),
        (t("1.5G"), 1500),
        (Cell::Number(100.0), 100),
    ] {
        assert_eq!(mbps(&cell), Ok(rate));
    }
    for cell in [t("hai trăm"), t("0"), Cell::Number(0.0), t("-5"), Cell::Number(1.5), t("204800000")] {
        assert!(mbps(&cell).is_err(), "{cell:?}");
    }
}

#[test]
fn a_telephone_number_is_read_as_people_write_it() {
    for (cell, number) in [
        (t("0912 345 678"), "0912345678"),
        (t("(0273) 3.872.123"), "02733872123"),
        (t("+84 912-345-678"), "0912345678"),
        (Cell::Number(912_345_678.0), "0912345678"),
        (t("1800 1166"), "18001166"),
        (t("0912345678 / 0273 3872 123"), "0912345678 / 02733872123"),
    ] {
        assert_eq!(phone(&cell).as_deref(), Ok(number));
    }
    for bad in ["091234", "chưa có", "912 345 678", "0912345678901"] {
        assert!(phone(&t(bad)).is_err(), "{bad}");
    }
}

#[test]
fn words_are_known_in_both_languages_and_a_wrong_one_is_told_with_the_nearest() {
    assert_eq!(role(&t("Dự phòng")), Ok("backup"));
    assert_eq!(role(&t("Kênh chính")), Ok("primary"));
    assert_eq!(role(&t("chín")), Err("unknown role `chín`; did you mean `primary`?".into()));
    assert_eq!(observe(&t("ping only")), Ok("ping-only"));
    assert_eq!(
        observe(&t("vệ tinh")),
        Err("unknown way to observe `vệ tinh`; expected `gateway`, `box-behind`, `reflector`, `ping-only`"
            .into())
    );
    assert_eq!(medium(&t("Cáp quang L2")), Ok("fibre-l2"));
    assert_eq!(medium(&t("4G APN")), Ok("4g-apn"));
    assert_eq!((truth(&t("Có")), truth(&t("Không"))), (Ok(true), Ok(false)));
}

#[test]
fn a_vlan_is_one_that_can_be() {
    for good in [t("120"), t("VPN-CQNN/120"), t("VPN-CQNN"), t("VLAN 4094"), Cell::Number(120.0)] {
        assert!(vlan(&good).is_ok(), "{good:?}");
    }
    for bad in ["0", "4095", "VPN-CQNN/5000", "99999999999"] {
        assert_eq!(vlan(&t(bad)).unwrap_err(), "is out of range; a VLAN is 1 to 4094");
    }
}

#[test]
fn codes_keep_their_zeros() {
    assert_eq!(code(&Cell::Number(4.0)).as_deref(), Ok("00004"));
    assert_eq!(code(&t("28249")).as_deref(), Ok("28249"));
    assert!(code(&t("282490")).is_err() && code(&t("Mỹ Tho")).is_err());
}
