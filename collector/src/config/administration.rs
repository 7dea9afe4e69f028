//! The administration tree: province, areas, communes with the days they existed.

use super::{
    draft::{Draft, Kind},
    fields::one_of,
    tree::Tree,
    value,
};
use crate::topology::{Area, Commune, Province};
use std::{path::Path, sync::Arc};

/// `thị trấn` ended with 2025-06-30, and stays in the record of what was before.
const COMMUNE_KINDS: [(&str, &str); 4] =
    [("xã", "xã"), ("phường", "phường"), ("đặc khu", "đặc khu"), ("thị trấn", "thị trấn")];

impl Draft {
    /// `province: {code: "82", name: Đồng Tháp}`.
    pub(super) fn province(&mut self, file: &Arc<Path>, tree: &Tree) {
        self.claim(Kind::Section, "province", &tree.place(file));
        let Some(mut fields) = self.fields(file, tree, "a province") else { return };
        let code = fields.needed("code", value::province_code);
        let name = fields.needed("name", value::text);
        self.topology.province = Province { code, name };
        self.faults(fields.done());
    }

    /// `{id: my-tho, name: Khu vực Mỹ Tho}`.
    pub(super) fn area(&mut self, file: &Arc<Path>, tree: &Tree) {
        let Some(mut fields) = self.fields(file, tree, "an area") else { return };
        let id = self.identity(&mut fields, Kind::Area, "id", value::id);
        let name = fields.needed("name", value::text);
        let place = self.topology.areas.len() as u32;
        self.topology.areas.insert(id, Area { name, place });
        self.faults(fields.done());
    }

    /// `{code: "28249", name: Đạo Thạnh, kind: phường, area: my-tho, valid_from: 2025-07-01}`.
    pub(super) fn commune(&mut self, file: &Arc<Path>, tree: &Tree) {
        let Some(mut fields) = self.fields(file, tree, "a commune") else { return };
        let code = self.identity(&mut fields, Kind::Commune, "code", value::commune_code);
        let owner = (Kind::Commune, code.as_str());
        let commune = Commune {
            name: fields.needed("name", value::text),
            kind: fields.needed("kind", |tree| one_of(tree, &COMMUNE_KINDS).map(str::to_owned)),
            area: self.reference(&mut fields, owner, "area", Kind::Area, false),
            valid_from: fields.optional("valid_from", value::day),
            valid_to: fields.optional("valid_to", value::day),
            successor: self.reference(&mut fields, owner, "successor", Kind::Commune, false),
        };
        self.stands(&fields, owner, "valid_to");
        self.topology.communes.insert(code, commune);
        self.faults(fields.done());
    }
}
