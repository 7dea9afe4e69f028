//! Says that the console embedded in the binary is built again when its files change: the embedding macro
//! names the files it found, never those that are new.

fn main() {
    println!("cargo:rerun-if-changed=../dashboards/web/dist");
}
