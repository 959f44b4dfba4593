//! The smallest pictures and videos that are what they say, byte by byte.

fn be(numbers: &[u32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
}

fn short(number: u16) -> [u8; 2] {
    number.to_be_bytes()
}

/// The checksum of PNG chunks.
fn crc(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    !crc
}

pub(crate) fn png(width: u32, height: u32) -> Vec<u8> {
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    let header = [&be(&[width, height])[..], &[8, 0, 0, 0, 0]].concat();
    for (name, content) in [(b"IHDR", &header[..]), (b"IDAT", b"\x78\x9c\x03\0\0\0\0\x01"), (b"IEND", b"")] {
        let chunk = [&name[..], content].concat();
        file.extend(be(&[u32::try_from(content.len()).unwrap()]));
        file.extend(&chunk);
        file.extend(be(&[crc(&chunk)]));
    }
    file
}

pub(crate) fn gif(width: u16, height: u16) -> Vec<u8> {
    let size = [width.to_le_bytes(), height.to_le_bytes()].concat();
    let image = [&b"\x2c\0\0\0\0"[..], &size, b"\0\x02\x02\x4c\x01\0"].concat();
    [&b"GIF89a"[..], &size, b"\x80\0\0\0\0\0\xff\xff\xff", &image, b"\x3b"].concat()
}

pub(crate) fn jpeg(width: u16, height: u16) -> Vec<u8> {
    let size = [short(height), short(width)].concat();
    [
        &b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0"[..],
        b"\xff\xc0\0\x0b\x08",
        &size,
        b"\x01\x01\x11\0",
        b"\xff\xda\0\x08\x01\x01\0\0\x3f\0\x12\xff\xd9",
    ]
    .concat()
}

/// Lossy: one key frame.
pub(crate) fn webp(width: u16, height: u16) -> Vec<u8> {
    let size = [width.to_le_bytes(), height.to_le_bytes()].concat();
    let frame = [&b"\x30\x01\0\x9d\x01\x2a"[..], &size, &[0; 8]].concat();
    let length = u32::try_from(frame.len()).unwrap();
    let chunk = [&b"WEBPVP8 "[..], &length.to_le_bytes(), &frame].concat();
    let whole = u32::try_from(chunk.len()).unwrap().to_le_bytes();
    [&b"RIFF"[..], &whole, &chunk].concat()
}

fn boxed(name: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len() + 8).unwrap();
    [&length.to_be_bytes()[..], name, content].concat()
}

/// A video file: brand, codec, where its index stands, and one track with one frame.
#[derive(Clone, Copy)]
pub(crate) struct Video {
    pub(crate) brand: [u8; 4],
    pub(crate) codec: [u8; 4],
    pub(crate) width: u16,
    pub(crate) height: u16,
    pub(crate) millis: u32,
    pub(crate) index_first: bool,
    pub(crate) data_bytes: usize,
}

impl Video {
    pub(crate) fn mp4(width: u16, height: u16, millis: u32) -> Self {
        Self { brand: *b"isom", codec: *b"avc1", width, height, millis, index_first: true, data_bytes: 64 }
    }

    pub(crate) fn file(self) -> Vec<u8> {
        let types = boxed(b"ftyp", &[&self.brand[..], &[0, 0, 2, 0], &self.brand].concat());
        let data = boxed(b"mdat", &vec![0; self.data_bytes]);
        let index = self.index(types.len());
        if self.index_first { [types, index, data].concat() } else { [types, data, index].concat() }
    }

    fn index(self, data_at: usize) -> Vec<u8> {
        const MATRIX: [u32; 9] = [1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30];
        let (width, height) = (u32::from(self.width), u32::from(self.height));
        let mut movie = be(&[0, 0, 0, 1000, self.millis, 1 << 16, 1 << 24, 0, 0]);
        movie.extend(be(&MATRIX));
        movie.extend(be(&[0, 0, 0, 0, 0, 0, 2]));
        let mut track = be(&[7, 0, 0, 1, 0, self.millis, 0, 0, 0, 0]);
        track.extend(be(&MATRIX));
        track.extend(be(&[width << 16, height << 16]));
        let media = be(&[0, 0, 0, 1000, self.millis, 0x55c4_0000]);
        let handler = [&be(&[0, 0])[..], b"vide", &be(&[0, 0, 0]), b"v\0"].concat();
        let config = match &self.codec {
            b"avc1" => boxed(b"avcC", b"\x01\x42\xc0\x1e\xff\xe0\x00"),
            _ => Vec::new(),
        };
        let entry = [
            &[0, 0, 0, 0, 0, 0, 0, 1][..],
            &be(&[0, 0, 0, 0]),
            &short(self.width),
            &short(self.height),
            &be(&[72 << 16, 72 << 16, 0]),
            &short(1),
            &[0; 32],
            &short(24),
            &[0xff, 0xff],
            &config,
        ]
        .concat();
        let entries = [be(&[0, 1]), boxed(&self.codec, &entry)].concat();
        let data_at = u32::try_from(data_at + 8).unwrap();
        let table = [
            boxed(b"stsd", &entries),
            boxed(b"stts", &be(&[0, 1, 1, self.millis])),
            boxed(b"stsc", &be(&[0, 1, 1, 1, 1])),
            boxed(b"stsz", &be(&[0, 0, 1, 64])),
            boxed(b"stco", &be(&[0, 1, data_at])),
        ];
        let source = boxed(b"dinf", &boxed(b"dref", &[be(&[0, 1]), boxed(b"url ", &be(&[1]))].concat()));
        let information = [boxed(b"vmhd", &be(&[1, 0, 0])), source, boxed(b"stbl", &table.concat())];
        let media = [boxed(b"mdhd", &media), boxed(b"hdlr", &handler), boxed(b"minf", &information.concat())];
        let track = [boxed(b"tkhd", &track), boxed(b"mdia", &media.concat())];
        boxed(b"moov", &[boxed(b"mvhd", &movie), boxed(b"trak", &track.concat())].concat())
    }
}

fn element(id: &[u8], content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap() | 0x1000_0000;
    [id, &length.to_be_bytes(), content].concat()
}

/// Matroska with one track of VP8.
pub(crate) fn webm(width: u16, height: u16, millis: u32) -> Vec<u8> {
    let header = [
        element(&[0x42, 0x86], &[1]),
        element(&[0x42, 0xf7], &[1]),
        element(&[0x42, 0xf2], &[4]),
        element(&[0x42, 0xf3], &[8]),
        element(&[0x42, 0x82], b"webm"),
        element(&[0x42, 0x87], &[4]),
        element(&[0x42, 0x85], &[2]),
    ];
    let information = [
        element(&[0x2a, 0xd7, 0xb1], &1_000_000_u32.to_be_bytes()),
        element(&[0x44, 0x89], &f64::from(millis).to_be_bytes()),
        element(&[0x4d, 0x80], b"arroba"),
        element(&[0x57, 0x41], b"arroba"),
    ];
    let size = [element(&[0xb0], &short(width)), element(&[0xba], &short(height))];
    let track = [
        element(&[0xd7], &[1]),
        element(&[0x73, 0xc5], &[1]),
        element(&[0x83], &[1]),
        element(&[0x86], b"V_VP8"),
        element(&[0xe0], &size.concat()),
    ];
    let cluster = [element(&[0xe7], &[0]), element(&[0xa3], b"\x81\0\0\x80\x30\x01\0\x9d\x01\x2a\0\0\0\0")];
    let segment = [
        element(&[0x15, 0x49, 0xa9, 0x66], &information.concat()),
        element(&[0x16, 0x54, 0xae, 0x6b], &element(&[0xae], &track.concat())),
        element(&[0x1f, 0x43, 0xb6, 0x75], &cluster.concat()),
    ];
    [
        element(&[0x1a, 0x45, 0xdf, 0xa3], &header.concat()),
        element(&[0x18, 0x53, 0x80, 0x67], &segment.concat()),
    ]
    .concat()
}

/// A sound: 8,000 samples of 8 bits a second.
pub(crate) fn wav(millis: u32) -> Vec<u8> {
    let data = vec![0x80; usize::try_from(millis).unwrap() * 8];
    let length = u32::try_from(data.len()).unwrap();
    [
        &b"RIFF"[..],
        &(length + 36).to_le_bytes(),
        b"WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x40\x1f\0\0\x01\0\x08\0data",
        &length.to_le_bytes(),
        &data,
    ]
    .concat()
}
