// Command smoke is what the tests run in pods: a server that says its host
// name or, with -get, a client that waits for an answer and prints it.
package main

import (
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

func main() {
	address := flag.String("get", "", "URL to get; without it, serve")
	within := flag.Duration("within", 30*time.Second, "how long to try")
	flag.Parse()
	if *address == "" {
		http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
			name, err := os.Hostname()
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			fmt.Fprintf(w, "hello from %s\n", name)
		})
		fmt.Fprintln(os.Stderr, http.ListenAndServe(":8080", nil))
		os.Exit(1)
	}
	client := http.Client{Timeout: 3 * time.Second}
	for deadline := time.Now().Add(*within); ; <-time.After(100 * time.Millisecond) {
		text, err := get(&client, *address)
		if err == nil {
			fmt.Print(text)
			return
		}
		if time.Now().After(deadline) {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

func get(client *http.Client, address string) (string, error) {
	response, err := client.Get(address)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("getting %s: %s", address, response.Status)
	}
	return string(text), err
}
