// Package rawjson finds members of JSON objects without decoding what is around them: an admission
// review is mostly what nobody judges (managedFields, status), and decoding that costs more than judging.
//
// Whatever it passes over it validates by RFC 8259, so that a text which it accepts is one that decoders
// accept too. Keys are case-sensitive, as they are for the API server; of a key that stands twice the last
// value counts, as in a decoder's map. It changes no text, and decodes no values
// but those that CheckExponents refuses, to say where they stand.
//
// Members, Elements and Kind walk through a text that was validated before, and do not validate it again.
package rawjson
