Zlib::Deflate#deflate 829411
