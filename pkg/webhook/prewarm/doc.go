// Package prewarm asks about the images of running pods before admission has to: when a replica starts, and from time to
// time, so that what runs is known to be verified when a registry fails, and stays so.
//
// It asks through the port of package admission, as an admission would, and drops the answers: whoever verifies
// remembers them. A few images are asked for at a time. Each replica does it for itself.
//
// What it does not do: judge or report what runs (`kubectl rune audit` does), or ask about what no Environment wants signed.
package prewarm
