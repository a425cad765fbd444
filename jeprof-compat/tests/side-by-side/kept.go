package main

import (
	"os"
	"runtime"
	"runtime/pprof"
	"sync"
	"time"
)

var kept [][]byte

type store[T any] struct{ all []T }

func (s *store[T]) add(v T) { s.all = append(s.all, v) }

//go:noinline
func open(n int) {
	for i := 0; i < n; i++ {
		kept = append(kept, make([]byte, 20000))
	}
}

func write(name, file string) {
	f, _ := os.Create(file)
	pprof.Lookup(name).WriteTo(f, 1)
	f.Close()
}

func main() {
	runtime.MemProfileRate = 4096
	runtime.SetMutexProfileFraction(1)
	open(500)
	s := &store[[64]int]{}
	for i := 0; i < 1000; i++ {
		s.add([64]int{i})
	}
	var mutex sync.Mutex
	var group sync.WaitGroup
	for i := 0; i < 4; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for i := 0; i < 5; i++ {
				mutex.Lock()
				time.Sleep(time.Millisecond)
				mutex.Unlock()
			}
		}()
	}
	group.Wait()
	write("heap", os.Args[1]+".heap")
	write("mutex", os.Args[1]+".mutex")
	runtime.KeepAlive(s)
}
