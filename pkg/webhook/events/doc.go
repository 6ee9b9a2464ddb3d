// Package events makes denials known as Events of events.k8s.io/v1, where people look for them: in the
// namespace of what was refused. Nobody waits for it, and it writes little: equal denials become one Event
// with a count, and token buckets bound what one Environment and all of them may write. What is not
// written is counted.
//
// client-go's recorder (k8s.io/client-go/tools/events) is not used for this. It bounds neither the rate of
// its writes nor the memory for its series, drops Events without a count where its queue is full, and names
// an Event after the object, which has no name yet where metadata.generateName asks for one.
package events
